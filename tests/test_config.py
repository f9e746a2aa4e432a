"""Recipes: nothing is guessed, everything wrong is one sentence."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from prescreen.config import Recipe, Strict, apply_overrides, digest, has_key, parse_recipe, read_yaml
from prescreen.errors import RecipeError


class Loss(Strict):
    beta: float = 0.1


class Settings(Recipe):
    lr: float = 1e-3
    steps: int = 10
    loss: Loss = Loss()
    warm: Loss | None = None
    weights: dict[str, float] = {}
    tags: tuple[str, ...] = ()


def test_unknown_key_is_named() -> None:
    with pytest.raises(RecipeError, match=r"01\.yaml: loss\.bta: unknown key; learning_rate: unknown key"):
        parse_recipe(Settings, {"stage": "x", "learning_rate": 1, "loss": {"bta": 2}}, "01.yaml")


def test_wrong_type_is_named() -> None:
    with pytest.raises(RecipeError, match=r"steps: Input should be a valid integer"):
        parse_recipe(Settings, {"stage": "x", "steps": "many"}, "01.yaml")


def test_recipes_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings(stage="x").lr = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"a: [1", "not valid YAML"), (b"- a\n- b\n", "expected a mapping"), (b"a: \xff\xfe", "not valid YAML")],
)
def test_unreadable_recipe_is_one_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "01-x.yaml"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=message) as caught:
        read_yaml(path)
    assert "\n" not in str(caught.value)


def test_missing_recipe_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no such recipe file"):
        read_yaml(tmp_path / "01-x.yaml")


@pytest.mark.parametrize(
    ("override", "field", "expected"),
    [
        ({"lr": "2e-3"}, "lr", 2e-3),
        ({"steps": "3"}, "steps", 3),
        ({"tags": "[a, b]"}, "tags", ("a", "b")),
        ({"loss.beta": "0.5"}, "loss", Loss(beta=0.5)),
        ({"warm.beta": "1"}, "warm", Loss(beta=1)),
        ({"weights.a": "1"}, "weights", {"a": 1.0}),
    ],
)
def test_overrides_arrive_typed(override: dict[str, str], field: str, expected: object) -> None:
    recipe = parse_recipe(Settings, apply_overrides({"stage": "x"}, override), "01.yaml")
    assert getattr(recipe, field) == expected


@pytest.mark.parametrize("override", [{"lr": "["}, {"stage.beta": "1"}])
def test_senseless_override_is_one_sentence(override: dict[str, str]) -> None:
    with pytest.raises(RecipeError, match="override"):
        apply_overrides({"stage": "x"}, override)


@pytest.mark.parametrize(
    ("key", "known"),
    [
        ("lr", True),
        ("loss.beta", True),
        ("warm.beta", True),
        ("weights.anything", True),
        ("inputs.data", True),
        ("tags", True),
        ("loss.gamma", False),
        ("lr.x", False),
        ("rate", False),
        ("", False),
    ],
)
def test_has_key_follows_the_classes(key: str, known: bool) -> None:
    assert has_key(Settings, key) is known


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
keys = st.text("abcd", min_size=1, max_size=2)


@given(st.dictionaries(keys, scalars, max_size=4), keys, st.integers())
def test_override_changes_its_key_and_nothing_else(values: dict[str, object], key: str, value: int) -> None:
    before = dict(values)
    merged = apply_overrides(values, {key: str(value)})
    assert merged == {**before, key: value}
    assert values == before


@given(st.dictionaries(keys, scalars, max_size=4))
def test_digest_ignores_key_order_and_survives_yaml(values: dict[str, object]) -> None:
    assert digest(dict(reversed(values.items()))) == digest(values)
    assert digest(yaml.safe_load(yaml.safe_dump(values, allow_unicode=True))) == digest(values)


@given(st.floats(1e-6, 1), st.integers(1, 999), st.floats(0, 1))
def test_resolved_recipe_reads_back_the_same(lr: float, steps: int, beta: float) -> None:
    recipe = Settings(stage="x", lr=lr, steps=steps, warm=Loss(beta=beta))
    assert parse_recipe(Settings, yaml.safe_load(yaml.safe_dump(recipe.model_dump(mode="json"))), "r") == recipe
