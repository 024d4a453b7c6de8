"""The command line `identityctl`; needs the extra `cli` of the distribution."""
