"""The arithmetic from a model's config.json: figures of real models, and what hostile files get."""

import json

import pytest

from workspace_ctrl.catalog.hub_model import HubModel, hub_model, note_of, read_note, read_total_size
from workspace_ctrl.catalog.model_config import ModelConfig, ModelFileError, read_config
from workspace_ctrl.catalog.presets import presets

WINDOW = "layers that attend to a window only are counted with the whole context"


def without_cache(layers):
    return f"the state of {layers} layers without a KV cache is not counted"


LLAMA = {  # meta-llama/Llama-3.1-8B-Instruct
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 4096,
    "max_position_embeddings": 131072,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "rope_scaling": {"factor": 8.0, "original_max_position_embeddings": 8192, "rope_type": "llama3"},
    "torch_dtype": "bfloat16",
}
QWEN_MOE = {  # Qwen/Qwen3-30B-A3B
    "architectures": ["Qwen3MoeForCausalLM"],
    "model_type": "qwen3_moe",
    "head_dim": 128,
    "hidden_size": 2048,
    "max_position_embeddings": 40960,
    "num_attention_heads": 32,
    "num_hidden_layers": 48,
    "num_key_value_heads": 4,
    "sliding_window": None,
    "use_sliding_window": False,
}
QWEN_2 = {  # Qwen/Qwen2.5-7B-Instruct
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "hidden_size": 3584,
    "max_position_embeddings": 32768,
    "num_attention_heads": 28,
    "num_hidden_layers": 28,
    "num_key_value_heads": 4,
    "sliding_window": 131072,
    "use_sliding_window": False,
}
QWEN_NEXT = {  # Qwen/Qwen3-Next-80B-A3B-Instruct
    "architectures": ["Qwen3NextForCausalLM"],
    "model_type": "qwen3_next",
    "full_attention_interval": 4,
    "head_dim": 256,
    "hidden_size": 2048,
    "max_position_embeddings": 262144,
    "num_attention_heads": 16,
    "num_hidden_layers": 48,
    "num_key_value_heads": 2,
}
DEEPSEEK = {  # deepseek-ai/DeepSeek-V3-0324
    "architectures": ["DeepseekV3ForCausalLM"],
    "auto_map": {"AutoConfig": "configuration_deepseek.DeepseekV3Config"},
    "model_type": "deepseek_v3",
    "hidden_size": 7168,
    "kv_lora_rank": 512,
    "max_position_embeddings": 163840,
    "num_attention_heads": 128,
    "num_hidden_layers": 61,
    "num_key_value_heads": 128,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]},
}
MINICPM = {  # openbmb/MiniCPM3-4B: vLLM caches keys and values of all heads
    "architectures": ["MiniCPM3ForCausalLM"],
    "model_type": "minicpm3",
    "hidden_size": 2560,
    "kv_lora_rank": 256,
    "max_position_embeddings": 32768,
    "num_attention_heads": 40,
    "num_hidden_layers": 62,
    "num_key_value_heads": 40,
    "qk_nope_head_dim": 64,
    "qk_rope_head_dim": 32,
}
GPT_OSS = {  # openai/gpt-oss-20b
    "architectures": ["GptOssForCausalLM"],
    "model_type": "gpt_oss",
    "head_dim": 64,
    "hidden_size": 2880,
    "layer_types": ["sliding_attention", "full_attention"] * 12,
    "max_position_embeddings": 131072,
    "num_attention_heads": 64,
    "num_hidden_layers": 24,
    "num_key_value_heads": 8,
    "quantization_config": {"quant_method": "mxfp4"},
    "sliding_window": 128,
}
GEMMA_27B = {  # google/gemma-3-27b-it: the context limit is left to the class
    "architectures": ["Gemma3ForConditionalGeneration"],
    "model_type": "gemma3",
    "text_config": {
        "model_type": "gemma3_text",
        "head_dim": 128,
        "hidden_size": 5376,
        "num_attention_heads": 32,
        "num_hidden_layers": 62,
        "num_key_value_heads": 16,
        "sliding_window": 1024,
    },
    "vision_config": {"num_hidden_layers": 27, "num_attention_heads": 16, "hidden_size": 1152},
}
GEMMA_4B = {  # google/gemma-3-4b-it: so are the heads
    "architectures": ["Gemma3ForConditionalGeneration"],
    "model_type": "gemma3",
    "text_config": {"model_type": "gemma3_text", "hidden_size": 2560, "num_hidden_layers": 34, "sliding_window": 1024},
}
GEMMA_4 = {  # google/gemma-4-31B-it: every sixth layer has fewer and larger heads
    "architectures": ["Gemma4ForConditionalGeneration"],
    "model_type": "gemma4",
    "text_config": {
        "model_type": "gemma4_text",
        "global_head_dim": 512,
        "head_dim": 256,
        "hidden_size": 5376,
        "layer_types": (["sliding_attention"] * 5 + ["full_attention"]) * 10,
        "max_position_embeddings": 262144,
        "num_attention_heads": 32,
        "num_global_key_value_heads": 4,
        "num_hidden_layers": 60,
        "num_key_value_heads": 16,
    },
}
FALCON_7B = {  # tiiuae/falcon-7b
    "architectures": ["FalconForCausalLM"],
    "model_type": "falcon",
    "hidden_size": 4544,
    "multi_query": True,
    "new_decoder_architecture": False,
    "num_attention_heads": 71,
    "num_hidden_layers": 32,
}
FALCON_40B = {  # tiiuae/falcon-40b
    "architectures": ["FalconForCausalLM"],
    "model_type": "falcon",
    "hidden_size": 8192,
    "multi_query": True,
    "new_decoder_architecture": True,
    "num_attention_heads": 128,
    "num_hidden_layers": 60,
    "num_kv_heads": 8,
}
STARCODER = {  # bigcode/starcoder
    "architectures": ["GPTBigCodeForCausalLM"],
    "model_type": "gpt_bigcode",
    "multi_query": True,
    "n_embd": 6144,
    "n_head": 48,
    "n_layer": 40,
    "n_positions": 8192,
    "torch_dtype": "float32",
}
GPT_2 = {  # openai-community/gpt2
    "architectures": ["GPT2LMHeadModel"],
    "model_type": "gpt2",
    "n_embd": 768,
    "n_head": 12,
    "n_layer": 12,
    "n_positions": 1024,
}
CHATGLM = {  # zai-org/chatglm3-6b
    "architectures": ["ChatGLMModel"],
    "auto_map": {"AutoModel": "modeling_chatglm.ChatGLMForConditionalGeneration"},
    "model_type": "chatglm",
    "hidden_size": 4096,
    "kv_channels": 128,
    "multi_query_attention": True,
    "multi_query_group_num": 2,
    "num_attention_heads": 32,
    "num_layers": 28,
    "seq_length": 8192,
}
NEMOTRON_H = {  # nvidia/NVIDIA-Nemotron-Nano-9B-v2
    "architectures": ["NemotronHForCausalLM"],
    "model_type": "nemotron_h",
    "attention_head_dim": 128,
    "hidden_size": 4480,
    "hybrid_override_pattern": "M-M-M-MM-M-M-M*-M-M-M*-M-M-M-M*-M-M-M-M*-M-MM-M-M-M-M-M-",
    "max_position_embeddings": 131072,
    "num_attention_heads": 40,
    "num_hidden_layers": 56,
    "num_key_value_heads": 8,
    "time_step_limit": [0.0, float("inf")],
}
GRANITE_H = {  # ibm-granite/granite-4.0-h-small
    "architectures": ["GraniteMoeHybridForCausalLM"],
    "model_type": "granitemoehybrid",
    "hidden_size": 4096,
    "layer_types": (["mamba"] * 5 + ["attention"] + ["mamba"] * 4) * 4,
    "max_position_embeddings": 131072,
    "num_attention_heads": 32,
    "num_hidden_layers": 40,
    "num_key_value_heads": 8,
}
KIMI_LINEAR = {  # moonshotai/Kimi-Linear-48B-A3B-Instruct
    "architectures": ["KimiLinearForCausalLM"],
    "model_type": "kimi_linear",
    "hidden_size": 2304,
    "kv_lora_rank": 512,
    "linear_attn_config": {
        "full_attn_layers": [4, 8, 12, 16, 20, 24, 27],
        "kda_layers": [1, 2, 3, 5, 6, 7, 9, 10, 11, 13, 14, 15, 17, 18, 19, 21, 22, 23, 25, 26],
    },
    "model_max_length": 1048576,
    "num_attention_heads": 32,
    "num_hidden_layers": 27,
    "num_key_value_heads": 32,
    "qk_rope_head_dim": 64,
}
MINIMAX = {  # MiniMaxAI/MiniMax-M1-80k
    "architectures": ["MiniMaxM1ForCausalLM"],
    "model_type": "minimax_m1",
    "attn_type_list": [0, 0, 0, 0, 0, 0, 0, 1] * 10,
    "head_dim": 128,
    "hidden_size": 6144,
    "max_position_embeddings": 10240000,
    "num_attention_heads": 64,
    "num_hidden_layers": 80,
    "num_key_value_heads": 8,
}
OPEN_ELM = {  # apple/OpenELM-270M: each layer has its own heads
    "architectures": ["OpenELMForCausalLM"],
    "model_type": "openelm",
    "head_dim": 64,
    "max_context_length": 2048,
    "num_kv_heads": [3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 5, 5, 5, 5],
    "num_query_heads": [12, 12, 12, 12, 12, 16, 16, 16, 16, 16, 16, 16, 20, 20, 20, 20],
    "num_transformer_layers": 16,
}
OMNI = {  # Qwen/Qwen2.5-Omni-7B
    "architectures": ["Qwen2_5OmniModel"],
    "model_type": "qwen2_5_omni",
    "thinker_config": {
        "model_type": "qwen2_5_omni_thinker",
        "text_config": {
            "model_type": "qwen2_5_omni_text",
            "hidden_size": 3584,
            "max_position_embeddings": 32768,
            "num_attention_heads": 28,
            "num_hidden_layers": 28,
            "num_key_value_heads": 4,
        },
    },
}


FIGURES = [
    pytest.param(LLAMA, ("LlamaForCausalLM", 32, 32, 8, 128, 131072, 131072), {}, id="Llama 3.1"),
    pytest.param(QWEN_MOE, ("Qwen3MoeForCausalLM", 48, 32, 4, 128, 98304, 40960), {}, id="Qwen 3 with experts"),
    pytest.param(QWEN_2, ("Qwen2ForCausalLM", 28, 28, 4, 128, 57344, 32768), {}, id="Qwen 2.5, without its window"),
    pytest.param(
        QWEN_NEXT, ("Qwen3NextForCausalLM", 48, 16, 2, 256, 24576, 262144), {"assumed": (without_cache(36),)}, id="Qwen 3 Next"
    ),
    pytest.param(
        DEEPSEEK,
        ("DeepseekV3ForCausalLM", 61, 128, 1, 56, 70272, 163840),
        {"min_compute_capability": 8.0, "has_code": True},
        id="DeepSeek V3",
    ),
    pytest.param(
        {**DEEPSEEK, "model_type": "deepseek_v32", "index_head_dim": 128, "architectures": ["DeepseekV32ForCausalLM"]},
        ("DeepseekV32ForCausalLM", 61, 128, 1, 56, 78324, 163840),
        {"min_compute_capability": 8.0, "has_code": True},
        id="DeepSeek V3.2",
    ),
    pytest.param(
        MINICPM,
        ("MiniCPM3ForCausalLM", 62, 40, 40, 64, 952320, 32768),
        {"assumed": ("the KV cache has keys and values of all heads, not their latent vector",)},
        id="MiniCPM 3",
    ),
    pytest.param(
        GPT_OSS,
        ("GptOssForCausalLM", 24, 64, 8, 64, 49152, 131072),
        {"min_compute_capability": 8.0, "assumed": (WINDOW,)},
        id="gpt-oss",
    ),
    pytest.param(
        GEMMA_27B,
        ("Gemma3ForConditionalGeneration", 62, 32, 16, 128, 507904, 131072),
        {"min_compute_capability": 8.0, "assumed": (WINDOW,)},
        id="Gemma 3 27B",
    ),
    pytest.param(
        GEMMA_4B,
        ("Gemma3ForConditionalGeneration", 34, 8, 4, 256, 139264, 131072),
        {"min_compute_capability": 8.0, "assumed": (WINDOW,)},
        id="Gemma 3 4B",
    ),
    pytest.param(
        GEMMA_4,
        ("Gemma4ForConditionalGeneration", 60, 32, 16, 256, 983040, 262144),
        {"min_compute_capability": 8.0, "assumed": (WINDOW,)},
        id="Gemma 4 31B",
    ),
    pytest.param(
        FALCON_7B,
        ("FalconForCausalLM", 32, 71, 1, 64, 8192, None),
        {"assumed": ("the longest context is not known, so vLLM chooses it",)},
        id="Falcon 7B",
    ),
    pytest.param(
        FALCON_40B,
        ("FalconForCausalLM", 60, 128, 8, 64, 122880, None),
        {"assumed": ("the longest context is not known, so vLLM chooses it",)},
        id="Falcon 40B",
    ),
    pytest.param(
        STARCODER,
        ("GPTBigCodeForCausalLM", 40, 48, 1, 128, 20480, 8192),
        {"assumed": ("the weights are counted in the 32 bits in which they are stored",)},
        id="StarCoder",
    ),
    pytest.param(GPT_2, ("GPT2LMHeadModel", 12, 12, 12, 64, 36864, 1024), {}, id="GPT-2"),
    pytest.param(CHATGLM, ("ChatGLMModel", 28, 32, 2, 128, 28672, 8192), {"has_code": True}, id="ChatGLM 3"),
    pytest.param(
        NEMOTRON_H, ("NemotronHForCausalLM", 56, 40, 8, 128, 16384, 131072), {"assumed": (without_cache(52),)}, id="Nemotron H"
    ),
    pytest.param(
        GRANITE_H,
        ("GraniteMoeHybridForCausalLM", 40, 32, 8, 128, 16384, 131072),
        {"assumed": (without_cache(36),)},
        id="Granite 4 hybrid",
    ),
    pytest.param(
        KIMI_LINEAR, ("KimiLinearForCausalLM", 27, 32, 1, 72, 8064, 1048576), {"assumed": (without_cache(20),)}, id="Kimi Linear"
    ),
    pytest.param(
        MINIMAX, ("MiniMaxM1ForCausalLM", 80, 64, 8, 128, 40960, 10240000), {"assumed": (without_cache(70),)}, id="MiniMax"
    ),
    pytest.param(
        OPEN_ELM,
        ("OpenELMForCausalLM", None, None, None, 64, 16128, None),
        {
            "assumed": (
                "the longest context is not known, so vLLM chooses it",
                "the attention heads are not known, so a power of two of GPUs is used",
            )
        },
        id="OpenELM",
    ),
    pytest.param(OMNI, ("Qwen2_5OmniModel", 28, 28, 4, 128, 57344, 32768), {}, id="Qwen Omni, nested twice"),
]


@pytest.mark.parametrize(("raw", "figures", "others"), FIGURES)
def test_figures_of_real_models(raw, figures, others):
    names = ("architecture", "layers", "attention_heads", "kv_heads", "head_dim", "kv_bytes_per_token", "context_limit")
    assert read_config(json.dumps(raw).encode()) == ModelConfig(**dict(zip(names, figures, strict=True)), **others)


@pytest.mark.parametrize(
    ("raw", "preset"),
    [
        (LLAMA, "llama-3.1-8b-instruct"),
        (QWEN_MOE, "qwen3-30b-a3b"),
        (QWEN_2, "qwen2.5-7b-instruct"),
        (DEEPSEEK, "deepseek-v3-0324"),
        (GPT_OSS, "gpt-oss-20b"),
        (GEMMA_27B, "gemma-3-27b-instruct"),
        (GEMMA_4B, "gemma-3-4b-instruct"),
        (FALCON_7B, "falcon-7b"),
        (FALCON_40B, "falcon-40b"),
    ],
)
def test_the_files_of_a_preset_lead_to_the_figures_of_the_catalog(raw, preset):
    found, known = read_config(json.dumps(raw).encode()), presets()[preset]
    assert (found.layers, found.attention_heads, found.kv_heads, found.kv_bytes_per_token, found.min_compute_capability) == (
        known.layers,
        known.attention_heads,
        known.kv_heads,
        known.kv_bytes_per_token,
        known.min_compute_capability,
    )
    assert found.context_limit in {known.context_limit, None}


def changed(**figures):
    return json.dumps({**LLAMA, **figures}).encode()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(b"", "is not JSON", id="nothing"),
        pytest.param(b"<html>", "is not JSON", id="a page"),
        pytest.param(b"\xff\xfe", "is not JSON", id="no UTF-8"),
        pytest.param(b"[]", "is not a JSON object", id="a list"),
        pytest.param(b'{"a":' * 100_000, "is nested too deeply", id="deep"),
        pytest.param(b'{"layers": ' + b"9" * 5000 + b"}", "is not JSON", id="a number of 5,000 digits"),
        pytest.param(b"{}", "names no architecture, so it is no model that vLLM can serve", id="empty"),
        pytest.param(changed(architectures=[7]), "names no architecture, so it is no model that vLLM can serve", id="a number"),
        pytest.param(changed(num_hidden_layers=-1), "has num_hidden_layers: -1, not a number from 1 to 10000", id="negative"),
        pytest.param(changed(num_hidden_layers=0), "has num_hidden_layers: 0, not a number from 1 to 10000", id="zero"),
        pytest.param(
            changed(num_hidden_layers=10**9), "has num_hidden_layers: 1000000000, not a number from 1 to 10000", id="huge"
        ),
        pytest.param(changed(num_hidden_layers="32"), "has num_hidden_layers: '32', not a number from 1 to 10000", id="a text"),
        pytest.param(changed(num_hidden_layers=True), "has num_hidden_layers: True, not a number from 1 to 10000", id="a boolean"),
        pytest.param(changed(num_hidden_layers=1.5), "has num_hidden_layers: 1.5, not a number from 1 to 10000", id="a fraction"),
        pytest.param(changed(num_hidden_layers={}), "has num_hidden_layers: a dict, not a number from 1 to 10000", id="an object"),
        pytest.param(
            changed(num_key_value_heads=[8, "\x1b[2J"]),
            "has num_key_value_heads: '\\x1b[2J', not a number from 0 to 10000",
            id="a list of anything",
        ),
        pytest.param(
            changed(max_position_embeddings=10**400),
            "has max_position_embeddings: 1000000000000000000000000000000000000000000000000000000000000000, "
            "not a number from 1 to 1000000000",
            id="a number of 400 digits",
        ),
    ],
)
def test_a_file_that_is_none_says_what_is_wrong(text, message):
    with pytest.raises(ModelFileError) as caught:
        read_config(text)
    assert str(caught.value) == message


def test_what_is_not_a_number_counts_as_missing():
    text = json.dumps({**LLAMA, "max_position_embeddings": float("nan"), "num_attention_heads": None}).encode()
    found = read_config(text)
    assert (found.context_limit, found.attention_heads, found.kv_heads, found.kv_bytes_per_token) == (None, None, 8, None)
    assert found.assumed == (
        "the KV cache is not known, so a fifth of the weights is left for it, and vLLM chooses the context",
        "the attention heads are not known, so a power of two of GPUs is used",
    )


def test_an_architecture_is_quoted_in_printable_letters_only():
    assert read_config(changed(architectures=["\x1b[2J" + "x" * 500])).architecture == "\N{REPLACEMENT CHARACTER}[2J" + "x" * 60


def index(**metadata):
    return json.dumps({"metadata": metadata, "weight_map": {"a": "model-00001-of-00004.safetensors"}}).encode()


@pytest.mark.parametrize(
    ("text", "size"),
    [
        pytest.param(index(total_size=16060522496), 16060522496, id="Llama 3.1 8B"),
        pytest.param(index(total_size=16060522496.0), 16060522496, id="as a float"),
        pytest.param(index(total_parameters=1, total_size=688586727753), 688586727753, id="beside others"),
        pytest.param(index(total_size=7)[:45], 7, id="cut off after the metadata"),
        pytest.param(index(total_size=7, other=float("nan")), 7, id="beside what is no number"),
    ],
)
def test_the_size_of_the_weights_is_at_the_beginning_of_the_index(text, size):
    assert read_total_size(text) == size


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(b"", "does not begin with metadata", id="nothing"),
        pytest.param(b'{"weight_map": {}}', "does not begin with metadata", id="none"),
        pytest.param(b'{"metadata": {"total_size": 1', "does not begin with metadata", id="cut off in the metadata"),
        pytest.param(b'{"metadata": ' + b'{"a":' * 50_000, "does not begin with metadata", id="deep"),
        pytest.param(index(), "has no valid metadata.total_size", id="no size"),
        pytest.param(index(total_size=0), "has no valid metadata.total_size", id="zero"),
        pytest.param(index(total_size=-1), "has no valid metadata.total_size", id="negative"),
        pytest.param(index(total_size=float("inf")), "has no valid metadata.total_size", id="infinite"),
        pytest.param(index(total_size="16060522496"), "has no valid metadata.total_size", id="a text"),
        pytest.param(index(total_size=True), "has no valid metadata.total_size", id="a boolean"),
        pytest.param(index(total_size=10**18), "has no valid metadata.total_size", id="an exabyte"),
    ],
)
def test_an_index_without_a_size_is_refused(text, message):
    with pytest.raises(ModelFileError) as caught:
        read_total_size(text)
    assert str(caught.value) == message


def of_hub(raw=LLAMA, weights=16060522496, origin="index"):
    return hub_model("some-lab/Model", read_config(json.dumps(raw).encode()), weights, origin)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (of_hub(), "weights 15.0 GiB from the index, KV cache 128 KiB a token, context up to 131072 tokens (LlamaForCausalLM)"),
        (
            of_hub(FALCON_7B, 14434379520, "model.safetensors"),
            (
                "weights 13.4 GiB from model.safetensors, KV cache 8 KiB a token (FalconForCausalLM); "
                "assumed: the longest context is not known, so vLLM chooses it"
            ),
        ),
    ],
)
def test_the_figures_are_told_with_where_they_come_from(found, text):
    assert str(found) == text


@pytest.mark.parametrize(("weights", "config"), [(0, {}), (10**16, {}), (1, {"head_dim": 10_000, "num_key_value_heads": 10_000})])
def test_figures_that_no_model_has_are_refused(weights, config):
    with pytest.raises(ModelFileError):
        of_hub({**LLAMA, **config, "num_hidden_layers": 10_000}, weights)


@pytest.mark.parametrize(("raw", "figures", "others"), FIGURES)
def test_a_model_is_remembered_as_it_was(raw, figures, others):
    found = of_hub(raw)
    assert read_note(note_of(found), "some-lab/Model") == found


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("", "some-lab/Model", id="nothing"),
        pytest.param("{", "some-lab/Model", id="no JSON"),
        pytest.param(note_of(of_hub()), "some-lab/Other", id="another model's"),
        pytest.param(note_of(of_hub()).replace('"weights_gib"', '"x":1,"weights_gib"'), "some-lab/Model", id="an unknown key"),
        pytest.param(
            note_of(of_hub()).replace('"weights_gib"', '"flags":["--trust-remote-code"],"weights_gib"'),
            "some-lab/Model",
            id="flags",
        ),
        pytest.param(note_of(of_hub()) + " " * 2048, "some-lab/Model", id="too long"),
    ],
)
def test_a_note_that_is_not_ours_is_ignored(text, name):
    assert read_note(text, name) is None


def test_a_model_with_many_words_still_fits_into_a_note():
    longest = HubModel.model_validate({**of_hub().model_dump(), "assumed": tuple("x" * 200 for _ in range(8))})
    assert read_note(note_of(longest), "some-lab/Model") == longest
