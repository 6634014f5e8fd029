"""What a page or the API answers when it says no: one error shape, one word key each."""


class RefusalError(Exception):
    """An HTTP error answer; ``code`` is a stable name, and ``error.<code>`` its words."""

    def __init__(self, status: int, code: str, **values: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.values = values


class SignInFirstError(RefusalError):
    """Nobody is signed in: a browser is sent to the sign-in page."""

    def __init__(self) -> None:
        super().__init__(401, "sign_in_first")


class ChangePasswordFirstError(RefusalError):
    """The password must be changed before anything else: a browser is sent there."""

    def __init__(self) -> None:
        super().__init__(403, "change_password_first")


class SecondFactorFirstError(RefusalError):
    """The password was right, the second factor is still due: a browser is sent there."""

    def __init__(self) -> None:
        super().__init__(403, "second_factor_first")


def forbidden() -> RefusalError:
    """The role does not open this page."""
    return RefusalError(403, "forbidden")


def not_found() -> RefusalError:
    """Nothing there, or nothing that this person may know of: the two answer alike."""
    return RefusalError(404, "not_found")


def stale_form() -> RefusalError:
    """A form without the session's own token: forged, or older than the session."""
    return RefusalError(403, "stale_form")
