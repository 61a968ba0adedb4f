"""The certificate authority, keys, pins and revocation."""
