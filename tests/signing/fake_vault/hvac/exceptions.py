class VaultError(Exception):
    pass


class InvalidPath(VaultError):
    pass
