"""What a batch of signatures may look like, and how it becomes rows: frozen limits. Knows no batch."""

from typing import Annotated

from pydantic import Field

from prescreen.config import Strict

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class Limits(Strict):
    """A batch beyond one of these trains nothing. Single bad rows below them are left out and counted."""

    fewest_pairs: Count = Field(20, description="pairs a batch needs")
    phi_rows: Count = Field(2, description="signatures in which something that identifies may remain")
    phi_share: Share = Field(0.1, description="share of signed reports out of which an identifier had to be taken")
    injected_rows: Count = Field(2, description="signatures that hold orders to the software")
    mislabelled: Share = Field(0.25, description="share of levels no rule gives, against other raters and words")
    below_rules: Share = Field(0.05, description="share of levels signed below a red-flag rule")
    one_signer: Share = Field(0.6, description="share of pairs that one person may give")
    rubber_stamp: Share = Field(0.25, description="share of signatures by people known not to look")
    too_alike: Share = Field(0.2, description="share of signatures that nearly repeat another one")
    seconds: float = Field(8.0, ge=0, description="a signature faster than this was not read")
    least_kept: Share = Field(0.5, description="own choices before the draft kept against it, of who looks")
    fewest_seen: Count = Field(8, description="signatures before a person is judged")


class Parts(Strict):
    """Who is learned from and who is held out: other patients and later weeks."""

    held_weeks: Share = Field(0.3, description="share of signatures, the last, that is never learned from")
    valid_share: Share = Field(0.1, description="share of the learned patients kept for losses during training")
