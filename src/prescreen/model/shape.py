"""The shape of a gpt-oss twin: the same classes at a size a laptop trains. Knows nothing about weights on disk."""

from prescreen.config import Strict


class TwinShape(Strict):
    """Every size is stated: `GptOssConfig()` defaults are the 120b and must never be used."""

    layers: int = 4
    hidden: int = 192
    intermediate: int = 192
    experts: int = 4
    experts_per_token: int = 2
    heads: int = 6
    kv_heads: int = 2
    head_dim: int = 32
    window: int = 128
    context: int = 4096
    init_std: float = 0.05


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
