"""What is said where somebody could not show who they are: wrong, or to wait. Nobody says which part was wrong."""

from prescreen.store.sign_in import Answer

WRONG = "Password or code is not right. Try again."


def count_wait(answer: Answer) -> int:
    """Whole seconds until the next try counts, rounded up; 0 where nothing has to be waited for."""
    return int(answer.wait.total_seconds() + 0.999)


def tell_refusal(answer: Answer, wrong: str = WRONG) -> str:
    """One sentence for the page."""
    seconds = count_wait(answer)
    return f"Too many tries. Wait {seconds} s, then try again." if seconds else wrong
