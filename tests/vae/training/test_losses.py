"""The algebra of losses; each term against its closed form or a count over all sequences."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor, nn

from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.likelihoods.tokens import TokenSequence
from designloop.vae.model import VAE, ForwardPass
from designloop.vae.networks import MLPDecoder, MLPEncoder
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.priors.standard_normal import StandardNormal
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO, Loss, PropertyRegression, ReferenceKL, Term
from designloop.vae.training.schedules import ramp


class Rows(Term):
    """A value a row: the first column of x, times a factor that is learned."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, out: ForwardPass) -> Tensor:
        return self.factor * out.x[:, 0]


class OneNumber(Term):
    def forward(self, out: ForwardPass) -> Tensor:
        return out.x.sum()


class Wrong(Term):
    def forward(self, out: ForwardPass) -> Tensor:
        return out.x


def a_pass(x: Tensor, weights: Tensor | None = None, targets: dict[str, Tensor] | None = None) -> ForwardPass:
    n = len(x)
    q = DiagonalNormal(torch.arange(2.0 * n).view(n, 2), torch.ones(n, 2))
    return ForwardPass(x, None, q, q.mean, x, -x.sum(1), torch.arange(float(n)), {}, targets or {}, weights)


X = torch.tensor([[1.0, 10.0], [2.0, 20.0], [6.0, 60.0]])

# ---- sums and weights


def test_a_loss_is_the_weighted_sum_of_its_terms_and_tells_each() -> None:
    loss = Rows() + 0.5 * OneNumber() + Rows(2.0) * 3
    value, report = loss(a_pass(X))
    assert float(value.detach()) == pytest.approx(3 + 0.5 * 99 + 3 * 6)
    assert {name: float(value) for name, value in report.items()} == {"rows": 3, "onenumber": 99, "rows_2": 6}
    assert float(report["onenumber"]) == 99
    assert not value.isnan()
    assert all(not term.requires_grad for term in report.values())
    assert [weight for weight, _ in loss.parts] == [1.0, 0.5, 3]


def test_sums_may_be_written_in_any_order() -> None:
    a, b, c = Rows(1.0), Rows(2.0), OneNumber()
    for loss in (a + b + c, (a + b) + c, 1.0 * a + (b + c), Loss([(1.0, a)]) + b * 1.0 + c):
        assert [term for _, term in loss.parts] == [a, b, c]
        assert float(loss(a_pass(X))[0].detach()) == pytest.approx(3 + 6 + 99)


def test_rows_are_averaged_by_their_weights_and_numbers_of_the_batch_are_not() -> None:
    weights = torch.tensor([1.0, 0.0, 3.0])
    value, report = (Rows() + OneNumber())(a_pass(X, weights))
    assert float(report["rows"]) == pytest.approx((1 + 3 * 6) / 4)
    assert float(value.detach()) == pytest.approx(19 / 4 + 99)
    scaled, _ = Loss([(1.0, Rows())])(a_pass(X, 10 * weights))
    assert float(scaled.detach()) == pytest.approx(19 / 4)


def test_a_term_that_is_not_reduced_is_told() -> None:
    with pytest.raises(
        VAEError, match=r"wrong gave shape \(3, 2\), expected \(3,\) or \(\); reduce it inside the term"
    ):
        (Rows() + Wrong())(a_pass(X))


def test_terms_are_modules_of_the_loss() -> None:
    loss = Rows(1.0) + OneNumber() * 2 + Rows(5.0)
    assert [float(weight.detach()) for weight in loss.parameters()] == [1.0, 5.0]
    assert {name for name, _ in loss.named_buffers()} == {f"terms.{index}.step" for index in range(3)}
    loss(a_pass(X))[0].backward()
    assert [float(weight.grad) for weight in loss.parameters() if weight.grad is not None] == [3.0, 3.0]


def test_a_ramp_is_linear_between_its_ends_and_flat_beyond() -> None:
    up = ramp(0.5, 2.5, 4, after=2)
    assert [up(step) for step in range(9)] == [0.5, 0.5, 0.5, 1.0, 1.5, 2.0, 2.5, 2.5, 2.5]
    assert [ramp(1.0, 0.0, 2)(step) for step in range(4)] == [1.0, 0.5, 0.0, 0.0]
    assert ramp(0.0, 1.0, 0)(1) == 1.0


def test_weights_on_a_schedule_follow_the_steps_of_their_term() -> None:
    loss = Rows() * ramp(0.0, 1.0, 2) + ELBO(beta=ramp(0.0, 4.0, 4))
    values = []
    for _ in range(3):
        out = a_pass(X)
        values.append(float(loss(out)[0].detach()))
        loss.update(out)
    # −log p is 33 in the mean, the KL 1; the rows' mean is 3
    assert values == pytest.approx([0 + 33, 1.5 + 33 + 1, 3 + 33 + 2])
    assert int(loss.parts[0][1].step) == 3


def test_weights_on_a_schedule_come_back_with_the_state() -> None:
    loss = Rows() * ramp(0.0, 1.0, 10)
    for _ in range(5):
        loss.update(a_pass(X))
    again = Rows() * ramp(0.0, 1.0, 10)
    again.load_state_dict(loss.state_dict())
    assert float(again(a_pass(X))[0].detach()) == pytest.approx(1.5)


# ---- ELBO


def test_elbo_is_the_models_own_and_its_beta_and_free_bits() -> None:
    torch.manual_seed(0)
    vae = VAE(MLPEncoder(3, 2), MLPDecoder(2, 3), Gaussian(3), StandardNormal(2)).double()
    x = torch.randn(5, 3, dtype=torch.float64)
    noise = vae.draw_noise(5, torch.Generator().manual_seed(1))
    with torch.no_grad():
        out = vae(x, noise=noise)
        torch.testing.assert_close(ELBO()(out), -vae.elbo(x, noise=noise))
        torch.testing.assert_close(ELBO(beta=0.0)(out), -out.log_prob)
        torch.testing.assert_close(ELBO(beta=3.0)(out), 3 * out.kl - out.log_prob)
        floor = float(out.kl.median())
        torch.testing.assert_close(ELBO(free_bits=floor)(out), out.kl.clamp_min(floor) - out.log_prob)


def test_a_kl_within_its_free_bits_is_not_pulled() -> None:
    kl = torch.tensor([0.5, 2.0], requires_grad=True)
    out = a_pass(X[:2])
    ELBO(free_bits=1.0)(ForwardPass(out.x, None, out.posterior, out.z, out.params, out.log_prob, kl)).sum().backward()
    assert kl.grad is not None
    assert kl.grad.tolist() == [0.0, 1.0]


# ---- PropertyRegression


def test_property_regression_is_the_mean_squared_error_of_its_head() -> None:
    torch.manual_seed(0)
    head, wanted = nn.Linear(2, 4), torch.randn(3, 4)
    out = a_pass(X, targets={"logp": wanted, "other": wanted + 1})
    result = PropertyRegression(head, "logp")(out)
    torch.testing.assert_close(
        result, nn.functional.mse_loss(head(out.posterior.mean), wanted, reduction="none").mean(1)
    )
    both = PropertyRegression(head, "logp") + PropertyRegression(head, "other")
    assert set(both(out)[1]) == {"propertyregression_logp", "propertyregression_other"}
    assert list((1.0 * PropertyRegression(head, "logp")).parameters())[0] is head.weight  # noqa: RUF015 - it reads as it is


def test_property_regression_refuses_what_would_broadcast_and_what_is_not_there() -> None:
    with pytest.raises(ShapeError, match=r"targets\['logp'\] has shape \(3,\), expected \(3, 1\) as the head gives"):
        PropertyRegression(nn.Linear(2, 1), "logp")(a_pass(X, targets={"logp": torch.zeros(3)}))
    with pytest.raises(VAEError, match=r"the batch has no target 'logp' \(none\); give Batch\(targets=\{'logp': …\}\)"):
        PropertyRegression(nn.Linear(2, 1), "logp")(a_pass(X))


# ---- ReferenceKL


def tiny_sequence_vae(seed: int, vocabulary: int = 4, longest: int = 4) -> VAE:
    """Tokens 2 and 3 and the end mark; the encoder sees one-hot rows."""

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Linear(longest * vocabulary, 4)

        def forward(self, x: Tensor, mask: Tensor | None = None, context: object = None) -> DiagonalNormal:
            padded = nn.functional.pad(x, (0, longest - x.shape[1]))
            mean, scale = self.net(nn.functional.one_hot(padded, vocabulary).double().flatten(1)).chunk(2, -1)
            return DiagonalNormal(mean, scale.exp())

    class Plan(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Linear(2, longest * 3)

        def forward(self, z: Tensor, context: object = None) -> Tensor:
            plan: Tensor = self.net(z)
            by_position: Tensor = plan.unflatten(-1, (longest, 3))
            return by_position

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return VAE(Encoder(), Plan(), TokenSequence(vocabulary, 3, 5, 4, lookahead=2), StandardNormal(2)).double()


def test_reference_kl_is_zero_between_equals_and_positive_otherwise() -> None:
    x = torch.tensor([[2, 3, 1, 0], [3, 3, 2, 1]])
    for seed, other, equal in ((0, 0, True), (0, 1, False)):
        vae, reference = tiny_sequence_vae(seed), tiny_sequence_vae(other)
        out = vae(x, noise=vae.draw_noise(2, torch.Generator().manual_seed(0)))
        result = float(ReferenceKL(reference)(out).detach())
        assert result == pytest.approx(0.0, abs=1e-12) if equal else result > 0.01


def test_reference_kl_is_the_one_that_is_summed_token_by_token() -> None:
    """Along the data, at the z of the pass, over every next token by itself."""
    vae, reference = tiny_sequence_vae(0), tiny_sequence_vae(1)
    x = torch.tensor([[2, 3, 1, 0], [3, 3, 2, 1], [3, 1, 0, 0]])
    noise = vae.draw_noise(3, torch.Generator().manual_seed(0))
    with torch.no_grad():
        out = vae(x, noise=noise)
        result = float(ReferenceKL(reference)(out))
        z = vae.encode(x).at(noise)
        wanted = 0.0
        for row, position in itertools.product(range(3), range(4)):
            if x[row, position] == 0:
                continue
            for token in range(4):
                prefix = x[row : row + 1, : position + 1].clone()
                prefix[0, position] = token
                p, q = (
                    model.likelihood.logits(model.decode(z[row : row + 1]), prefix)[0, position].softmax(-1)[token]
                    for model in (reference, vae)
                )
                wanted += float(p * (p / q).log()) if p > 0 else 0.0
    assert result == pytest.approx(wanted / 3, rel=1e-9)
    with torch.no_grad():
        assert float(ReferenceKL(reference, rows=2)(out)) != pytest.approx(result)
        first = vae(x[:2], noise=noise[:2])
        assert float(ReferenceKL(reference, rows=2)(out)) == pytest.approx(float(ReferenceKL(reference)(first)))


def test_reference_kl_pulls_the_model_and_leaves_the_reference() -> None:
    vae, reference = tiny_sequence_vae(0), tiny_sequence_vae(1)
    before = {name: value.clone() for name, value in reference.state_dict().items()}
    x = torch.tensor([[2, 3, 1, 0], [3, 3, 2, 1]])
    term = ReferenceKL(reference)
    optimizer = torch.optim.SGD([*vae.decoder.parameters(), *vae.likelihood.parameters()], lr=0.5)  # type: ignore[attr-defined]
    values = []
    for _ in range(30):
        value = term(vae(x, noise=torch.zeros(2, 2, dtype=torch.float64)))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        values.append(float(value.detach()))
    assert values[-1] < 0.3 * values[0]
    assert all(torch.equal(before[name], value) for name, value in reference.state_dict().items())
    assert list(term.parameters()) == []  # a loss does not own the model that it compares with


def test_reference_kl_needs_next_token_logits() -> None:
    gaussian = VAE(MLPEncoder(3, 2), MLPDecoder(2, 3), Gaussian(3), StandardNormal(2))
    with pytest.raises(VAEError, match=r"Gaussian offers no logits; it does not work token by token: take Token"):
        ReferenceKL(gaussian)
    tokens = ReferenceKL(tiny_sequence_vae(0))
    with pytest.raises(VAEError, match="the pass has no next-token logits; train a VAE with a TokenSequence"):
        tokens(gaussian(torch.zeros(2, 3)))


def test_reference_kl_asks_for_no_posterior() -> None:
    vae, x, z = tiny_sequence_vae(0), torch.tensor([[2, 3, 1, 0], [3, 3, 2, 1]]), torch.ones(2, 2).double()
    vae.encoder = None  # type: ignore[assignment]  # it would be an error to call it
    term = ReferenceKL(tiny_sequence_vae(1))
    assert not Loss([(1.0, term)]).needs_posterior
    optimizer = torch.optim.SGD(vae.decoder.parameters(), lr=0.1)  # type: ignore[attr-defined]
    fit(vae, term, [Batch(x, z=z)], optimizer, generator=torch.Generator().manual_seed(0))
