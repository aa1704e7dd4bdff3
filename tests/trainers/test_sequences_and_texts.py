"""The words of the trainers for sequences and texts have their effect, and other data is refused."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np
import pytest
from fake_run import few_digits, few_rows, few_texts, few_tumours

from trainers import sequence, text
from trainers.data import Data, DataError
from trainers.data.documentation import TOPICS, read_documentation
from trainers.data.text import tokens, vectorizer


def kinds(model: keras.Model) -> list[str]:
    return [type(layer).__name__ for layer in model.layers]


def embedding(model: keras.Model) -> Any:
    (layer,) = [layer for layer in model.layers if isinstance(layer, keras.layers.Embedding)]
    return layer


def test_texts_are_numbered_by_how_frequent_their_words_are_in_training() -> None:
    train = np.array(["The cat, the hat!", "the cat", "a dog", ""])
    made = tokens(train, np.array(["A bird the cat"]))
    assert made.vocabulary[:2] == ("the", "cat")
    assert made.x_train.dtype == np.int32
    assert made.x_train[0].tolist()[:3] == [2, 3, 2]
    assert made.x_train[3].tolist() == [0, 0, 0, 0]
    assert made.x_validation[0].tolist()[1:] == [1, 2, 3]
    np.testing.assert_array_equal(vectorizer(made.vocabulary, 4)(keras.ops.convert_to_tensor(train)), made.x_train)
    assert tokens(train, train, length=2).x_train.shape == (4, 2)


def test_the_vocabulary_and_the_length_cut_what_is_read() -> None:
    data = few_texts()
    model = text.build({"vocabulary": 50, "length": 10, "embedding": {"size": 7}}, data)
    assert embedding(model).input_dim == 52
    assert embedding(model).output.shape == (None, 10, 7)
    x = data.x_train[:4].copy()
    rare, late = x.copy(), x.copy()
    rare[rare >= 52] = len(data.vocabulary or ()) + 1
    late[:, 10:] = 2
    for changed in (rare, late):
        assert (changed != x).any()
        np.testing.assert_array_equal(model(changed), model(x))


def test_more_words_than_there_are_is_all_of_them() -> None:
    data = few_texts()
    model = text.build({"vocabulary": 10**6, "length": 10**6}, data)
    assert data.vocabulary is not None
    assert embedding(model).input_dim == len(data.vocabulary) + 2


def test_an_embedding_has_its_initializer_and_dropout() -> None:
    model = text.build({"embedding": {"initializer": {"constant": {"value": 0.5}}, "dropout": 0.2}}, few_texts())
    assert (embedding(model).embeddings.numpy() == 0.5).all()
    assert "SpatialDropout1D" in kinds(model)


@pytest.mark.parametrize(("build", "data"), [(sequence.build, few_rows), (text.build, few_texts)])
def test_positions_tell_attention_the_order_of_the_steps(build: Any, data: Any) -> None:
    x = data().x_train[:4, :8]
    x = np.where(x == 0, 2, x) if x.dtype == np.int32 else x
    for positions, same in (("none", True), ("learned", False)):
        params = {"positions": positions, "layers": ["attention"], "length": 8}
        model = build(params, dataclasses.replace(data(), x_train=x, x_validation=x))
        np.testing.assert_equal(np.allclose(model(x), model(x[:, ::-1]), atol=1e-5), same)


@pytest.mark.parametrize(("head", "layer"), [("max", "GlobalMaxPooling1D"), ("flatten", "Flatten")])
def test_a_head_makes_a_vector_of_the_steps(head: str, layer: str) -> None:
    params = {"head": head, "layers": [{"conv": {"filters": 4}}], "dense": [{"units": 3}]}
    for build, data in ((sequence.build, few_rows()), (text.build, few_texts())):
        assert layer in kinds(build(params, data))


def flat() -> Data:
    digits = few_digits()
    parts = {name: getattr(digits, name).reshape(-1, 64) for name in ("x_train", "x_validation")}
    return dataclasses.replace(digits, **parts, mean=np.zeros(64), variance=np.ones(64))


def test_sequences_of_single_numbers_have_one_channel_and_those_of_whole_numbers_an_embedding() -> None:
    assert sequence.build({"layers": [{"units": 4}]}, flat()).output.shape == (None, 10)
    model = sequence.build({"embedding": {"values": 17, "size": 5}}, flat())
    assert embedding(model).output.shape == (None, 64, 5)
    with pytest.raises(DataError, match="embedding: received steps of 8 numbers"):
        sequence.build({"embedding": {"values": 17}}, few_rows())


def test_a_step_that_was_filled_in_changes_nothing() -> None:
    x = few_rows().x_train[:4].copy()
    x[:, 5:] = 0
    data = dataclasses.replace(few_rows(), padding="post", x_train=x, x_validation=x)
    short = dataclasses.replace(data, x_train=x[:, :5], x_validation=x[:, :5])
    answers = []
    for each in (data, short):
        keras.utils.set_random_seed(3)
        params = {"layers": [{"units": 4}], "preprocessing": {"scale": "none"}}
        answers.append(sequence.build(params, each)(each.x_train).numpy())
    np.testing.assert_allclose(*answers, atol=1e-5)


@pytest.mark.parametrize(
    ("build", "data", "message"),
    [
        (sequence.build, few_digits, "'sequence' received examples of shape .8, 8, 1.; .* write trainer: image"),
        (text.build, few_tumours, "'text' received numbers of shape .30,.; expected texts"),
    ],
)
def test_other_data_is_refused(build: Any, data: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        build({}, data())


def test_documentation_is_real_text_of_every_topic_that_doesnt_repeat_itself() -> None:
    raw = read_documentation(TOPICS[:2])
    texts = list(raw.x)
    assert set(raw.y.tolist()) == {0, 1}
    assert len(set(texts)) == len(texts) > 100
    assert all(len(each.split()) >= 8 for each in texts)
