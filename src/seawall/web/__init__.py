"""What people and programs see over HTTPS: pages, the HTTP API and what is live.

Holds no rules: parse, call the store or one operation, render. Everything that
it needs of the rest comes in as `services.Services`.
"""
