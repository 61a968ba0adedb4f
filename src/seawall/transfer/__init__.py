"""Import and export: files to documents, documents to a server, and back.

An import is a pipeline::

    Source ──chunks of bytes──► Documents ──Blocks──► Inserter ──batches──► Channel
    sources                     documents             insert               wire

- `options` has what can be asked, grouped by purpose; `validation` says what goes together.
- `sources.Source` opens files and standard input, unpacks gzip, zstd, xz and bzip2, counts bytes.
- `documents.Documents(asked, ids, skipped)` reads: ``start(chunks)`` returns an iterator of
  blocks; everything before an error is yielded first, then `TransferFailedError` is raised.
  With ``ids=None`` documents get no `_id`. ``columns`` are known before `start` unless the
  header is in the input.
- `blocks.Block` is many BSON documents in one piece of memory: ``raw()`` yields each as
  bytes, ``decoded()`` gives dictionaries. Whoever wants rows for something else than a
  server (readings, a dry run) takes these: ``for block in documents.start(chunks): for row in
  block.decoded(): ...``. Values are what mongoimport would have stored, dates are UTC.
- `insert.Inserter.write(block)` batches, plans operations of the mode (`operations`), and sends
  on `wire.Channel`s; `Inserter.counts` is what the server said it did.

Types are decided in one place each: `cells` for CSV and TSV (`columns` names the types,
`layouts` reads dates), `readers.extended` for JSON. Every fast path (`columnar`,
`json_columns`, `readers.json_fast`) either gives the bytes of the exact path
(`convert`, `readers.json_exact`) or raises `IrregularError`, and the exact path reads that piece.
Arrow, numpy and the columns are loaded only for input of more than a quarter of a megabyte.
"""
