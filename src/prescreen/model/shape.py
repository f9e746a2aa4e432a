"""The shape of a gpt-oss twin: the same classes at a size a laptop trains. Knows nothing about weights on disk."""

from pydantic import Field

from prescreen.config import Strict


class TwinShape(Strict):
    """Every size is stated: `GptOssConfig()` defaults are the 120b and must never be used."""

    layers: int = Field(4, description="transformer layers; even ones attend within the window only")
    hidden: int = Field(192, description="width of the residual stream; a multiple of 32 for MXFP4")
    intermediate: int = Field(192, description="inner width of an expert; a multiple of 32 for MXFP4")
    experts: int = Field(4, description="experts per layer")
    experts_per_token: int = Field(2, description="experts the router picks for a token")
    heads: int = Field(6, description="query heads")
    kv_heads: int = Field(2, description="key and value heads, shared by groups of query heads")
    head_dim: int = Field(32, description="width of a head")
    window: int = Field(128, description="tokens a sliding layer looks back")
    context: int = Field(4096, description="longest sequence in tokens")
    init_std: float = Field(0.05, description="spread of the random initial weights")


def new_model(shape: TwinShape, tokenizer_size: int, pad_id: int, eos_id: int):  # type: ignore[no-untyped-def]
    """A randomly initialised GptOssForCausalLM in fp32; vocabulary rounded up to a multiple of 64 as in gpt-oss."""
    from transformers import GptOssConfig, GptOssForCausalLM

    config = GptOssConfig(
        vocab_size=-(-tokenizer_size // 64) * 64,
        num_hidden_layers=shape.layers,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_local_experts=shape.experts,
        num_experts_per_tok=shape.experts_per_token,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        sliding_window=shape.window,
        layer_types=["sliding_attention" if i % 2 == 0 else "full_attention" for i in range(shape.layers)],
        max_position_embeddings=shape.context,
        initial_context_length=shape.context,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        initializer_range=shape.init_std,
        router_aux_loss_coef=0.0,
        output_router_logits=False,
        pad_token_id=pad_id,
        eos_token_id=eos_id,
        bos_token_id=None,
    )
    config._experts_implementation = "eager"
    return GptOssForCausalLM._from_config(config, attn_implementation="eager")
