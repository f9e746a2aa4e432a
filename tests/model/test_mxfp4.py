"""MXFP4: our decoder equals transformers' bit for bit; encoding what was decoded changes nothing."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

from prescreen.model.mxfp4 import Packed, decode, encode


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), low=st.integers(90, 120), spread=st.integers(0, 30))
def test_decode_is_bit_equal_to_transformers(seed, low, spread):
    generator = torch.Generator().manual_seed(seed)
    blocks = torch.randint(0, 256, (2, 6, 3, 16), dtype=torch.uint8, generator=generator)
    scales = torch.randint(low, low + spread + 1, (2, 6, 3), dtype=torch.uint8, generator=generator)
    theirs = convert_moe_packed_tensors(blocks, scales, dtype=torch.bfloat16)
    assert torch.equal(decode(Packed(blocks, scales)), theirs)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), scale=st.floats(1e-6, 1e3))
def test_encoding_is_idempotent_and_close(seed, scale):
    weight = torch.randn(2, 64, 6, generator=torch.Generator().manual_seed(seed)) * scale
    once = decode(encode(weight), torch.float32)
    assert torch.equal(decode(encode(once), torch.float32), once)
    assert ((once - weight).norm() / weight.norm()) < 0.15


def test_zeros_stay_zero():
    assert (decode(encode(torch.zeros(1, 32, 4))) == 0).all()
