"""Writers of documents: BSON to Extended JSON and CSV, spelled as mongoexport spells them."""
