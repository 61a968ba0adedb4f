"""The installation's own certificate authority: keys, certificates, pins and TLS contexts."""
