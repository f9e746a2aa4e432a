"""Packed attention by its definition, in fp64, and random rows of documents that continue each other."""

import torch
from hypothesis import strategies as st


def reference(query, key, value, sinks, lengths, parents, window, scale):
    """Softmax with a sink, one query at a time over the tokens before it, in fp64. [N, H, d] -> [N, H, d]."""
    starts = [sum(lengths[:i]) for i in range(len(lengths))]

    def before(document):
        above = before(parents[document]) if parents[document] >= 0 else []
        return [*above, *range(starts[document], starts[document] + lengths[document])]

    repeats = query.shape[1] // key.shape[1]
    rows = []
    for document, start in enumerate(starts):
        chain = before(document)
        for at in range(start, start + lengths[document]):
            seen = chain[: chain.index(at) + 1][-window if window else 0 :]
            k, v = (t[seen].repeat_interleave(repeats, 1) for t in (key, value))
            scores = torch.einsum("hd,khd->hk", query[at], k) * scale
            weights = torch.cat([scores, sinks[:, None]], -1).softmax(-1)[:, :-1]
            rows.append(torch.einsum("hk,khd->hd", weights, v))
    return torch.stack(rows)


@st.composite
def trees(draw):
    """Lengths of a row's documents and which earlier one each continues."""
    lengths = draw(st.lists(st.integers(1, 70), min_size=1, max_size=6))
    return lengths, [draw(st.integers(-1, number - 1)) for number in range(len(lengths))]
