"""What pymdp's scripts do, with only the imports changed: the same results, step by step.

A T-maze whose reward condition a cue tells; an agent writes into its arrays, plans with and
without learning, and pymdp's agent runs beside it on the same random numbers.
"""

import copy

import numpy as np
import pymdp.legacy.agent
import pymdp.legacy.control
import pymdp.legacy.maths
import pymdp.legacy.utils
import pytest

import freeagent_core.agent
import freeagent_core.pymdp_v0
from freeagent_core import control, maths, utils

OURS = (freeagent_core.agent.Agent, utils, maths, control)
THEIRS = (
    pymdp.legacy.agent.Agent,
    pymdp.legacy.utils,
    pymdp.legacy.maths,
    pymdp.legacy.control,
)


def t_maze(utils, reward=0.9):
    """Return A and B: places (centre, left, right, cue) and sides; outcomes place, reward, cue."""
    A = utils.initialize_empty_A([4, 3, 3], [4, 2])
    A[0][:] = np.eye(4)[:, :, None]
    A[1][0] = A[2][0] = 1.0
    for place, side in ((1, 0), (1, 1), (2, 0), (2, 1)):
        good = reward if place - 1 == side else 1 - reward
        A[1][:, place, side] = [0.0, good, 1 - good]
    for side in (0, 1):
        A[2][:, 3, side] = [0.0, 1.0 - side, float(side)]
    B = utils.initialize_empty_B([4, 2], [4, 1])
    B[0][:] = utils.construct_controllable_B([4], [4])[0]
    B[1][:, :, 0] = np.eye(2)
    return A, B


def run(kit, script, steps=8, seed=0):
    """Return what a script leaves of `steps` steps in the maze."""
    utils = kit[1]
    np.random.seed(seed)
    A, B = t_maze(utils)
    agent = script(kit, copy.deepcopy(A), copy.deepcopy(B))
    place, side, trace = 0, 1, []
    for _ in range(steps):
        obs = [utils.sample(A[m][:, place, side]) for m in range(3)]
        qs = agent.infer_states(obs)
        q_pi, G = agent.infer_policies()
        action = agent.sample_action()
        place = int(action[0])
        if agent.pA is not None:
            agent.update_A(obs)
        if agent.pB is not None and len(trace):
            agent.update_B(trace[-1]["qs"])
        trace.append({"qs": copy.deepcopy(qs), "q_pi": q_pi, "G": G, "action": action, "obs": obs})
    learned = [copy.deepcopy(agent.A), agent.pA, agent.B, agent.D]
    return trace, learned


def plain(kit, A, B):
    return kit[0](A=A, B=B, control_fac_idx=[0])


def planner(kit, A, B):
    return kit[0](A=A, B=B, control_fac_idx=[0], policy_len=2)


def writer(kit, A, B):
    agent = planner(kit, A, B)
    agent.D[0] = kit[1].onehot(0, agent.num_states[0])
    agent.C[1][1] = 3.0
    agent.C[1][2] = -3.0
    return agent


def assigner(kit, A, B):
    agent = planner(kit, A, B)
    D = kit[1].obj_array_uniform([4, 2])
    D[0] = kit[1].onehot(0, 4)
    agent.D = D
    C = kit[1].obj_array_zeros([4, 3, 3])
    C[1][1] = 2.0
    agent.C = C
    return agent


def views_kept(kit, A, B):
    agent = writer(kit, A, B)
    column = agent.A[1][:, 1, 0]
    column[:] = [0.0, 0.5, 0.5]
    preferences = agent.C[1]
    preferences[2] -= 1.0
    agent.E[:] = np.arange(1.0, len(agent.E) + 1) / np.arange(1.0, len(agent.E) + 1).sum()
    return agent


def whole_write(kit, A, B):
    agent = writer(kit, A, B)
    agent.A[1][...] = agent.A[1][:, :, ::-1].copy()
    return agent


def learner(kit, A, B):
    pA = kit[1].dirichlet_like(A, scale=2.0)
    pA[1][1:, 1:3, :] = 1.0
    agent = kit[0](A=A, pA=pA, B=B, control_fac_idx=[0], modalities_to_learn=[1], lr_pA=0.25,
                   use_param_info_gain=True)  # fmt: skip
    agent.D[0] = kit[1].onehot(0, agent.num_states[0])
    agent.C[1][1], agent.C[1][2] = 2.0, -2.0
    return agent


def learner_of_B(kit, A, B):
    agent = kit[0](A=A, B=B, pB=kit[1].dirichlet_like(B, scale=1.0), lr_pB=0.5)
    agent.C[1][1] = 1.0
    return agent


def pseudo_counts_added(kit, A, B):
    agent = learner(kit, A, B)
    agent.pA[1] += 0.5
    return agent


def inherits(kit, A, B):
    class Cautious(kit[0]):
        def infer_policies(self):
            self.calls = getattr(self, "calls", 0) + 1
            return super().infer_policies()

    agent = Cautious(A=A, B=B, policy_len=2)
    agent.C[1][1] = 2.0
    return agent


def set_parameters(kit, A, B):
    agent = planner(kit, A, B)
    agent.gamma, agent.alpha = 4.0, 2.0
    agent.use_utility = False
    agent.action_selection, agent.sampling_mode = "stochastic", "full"
    return agent


SCRIPTS = [
    plain, planner, writer, assigner, views_kept, whole_write, learner, learner_of_B,
    pseudo_counts_added, inherits, set_parameters,
]  # fmt: skip


def assert_close(ours, theirs, tolerance=1e-8):
    if isinstance(theirs, np.ndarray) and theirs.dtype == object:
        for mine, other in zip(ours, theirs, strict=True):
            assert_close(mine, other, tolerance)
    elif theirs is not None:
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance)


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_scripts(script, seed):
    (ours, ours_learned), (theirs, theirs_learned) = (
        run(kit, script, seed=seed) for kit in (OURS, THEIRS)
    )
    for mine, reference in zip(ours, theirs, strict=True):
        assert mine["obs"] == reference["obs"]
        np.testing.assert_array_equal(mine["action"], reference["action"])
        for name in ("qs", "q_pi", "G"):
            assert_close(mine[name], reference[name])
    for mine, reference in zip(ours_learned, theirs_learned, strict=True):
        assert_close(mine, reference)


def test_a_loop_written_with_functions():
    """Beliefs, expected outcomes and policies by hand, as the tutorials do."""
    results = []
    for _, utils_, maths_, control_ in (OURS, THEIRS):
        A = np.eye(9)
        B = np.stack([np.roll(np.eye(9), shift, axis=0) for shift in (0, 1, -1, 3, -3)], axis=-1)
        C, policies = utils_.onehot(7, 9), control_.construct_policies([9], [5], 3)
        prior, state, trace = utils_.onehot(0, 9), 0, []
        for _ in range(5):
            log_posterior = maths_.spm_log_single(A[state]) + maths_.spm_log_single(prior)
            qs = maths_.softmax(log_posterior)
            G = np.zeros(len(policies))
            for i, policy in enumerate(policies):
                after = qs
                for u in policy[:, 0]:
                    after = B[:, :, u].dot(after)
                    qo = A.dot(after)
                    G[i] += qo.dot(maths_.spm_log_single(qo) - maths_.spm_log_single(C))
            q_pi = maths_.softmax(-G)
            p = np.zeros(5)
            for i, policy in enumerate(policies):
                p[policy[0, 0]] += q_pi[i]
            np.random.seed(3)
            action = utils_.sample(utils_.norm_dist(p))
            state = int(np.argmax(B[:, state, action]))
            prior = B[:, :, action].dot(qs)
            trace.append((state, action, qs, q_pi))
        results.append(trace)
    for mine, reference in zip(*results, strict=True):
        for a, b in zip(mine, reference, strict=True):
            np.testing.assert_array_equal(a, b)


def test_agents_of_one_model_keep_their_own_arrays():
    A, B = t_maze(utils)
    model = freeagent_core.GenerativeModel(A, B)
    first, second = (freeagent_core.agent.Agent.from_model(model) for _ in range(2))
    first.D[0] = utils.onehot(0, 4)
    first.C[1][1] = 3.0
    np.testing.assert_array_equal(second.D[0], np.full(4, 0.25))
    assert second.C[1][1] == 0.0
    assert model.C[1][1] == 0.0


@pytest.mark.parametrize("algorithm", ["VANILLA", "MMP"])
def test_a_subclass_assigns_before_the_constructor(algorithm):
    class Robot(freeagent_core.agent.Agent):
        def __init__(self, num_states):
            self.num_obs, self.num_states, self.num_controls = [3], [num_states], [2]
            self.gamma, self.F, self.name = 99.0, "mine", "robot"
            self.infer_policies = self.my_policies
            A = utils.obj_array_uniform([[n, *self.num_states] for n in self.num_obs])
            B = utils.obj_array_uniform([[self.num_states[0]] * 2 + self.num_controls])
            super().__init__(A, B, inference_algo=algorithm)

        def my_policies(self):
            self.asked = True
            return freeagent_core.agent.Agent.infer_policies(self)

    agent = Robot(4)
    assert (agent.num_obs, agent.num_states, agent.num_controls) == ([3], [4], [2])
    assert (agent.gamma, agent.name) == (16.0, "robot")
    assert ("F" in vars(agent)) == (algorithm == "VANILLA")  # message passing infers it
    agent.step([0])
    assert agent.asked
    for other in (copy.deepcopy(agent), copy.copy(agent)):
        assert (other.gamma, other.name, other.num_states) == (16.0, "robot", [4])


def test_what_is_not_there_before_the_constructor():
    class Hasty(freeagent_core.agent.Agent):
        def __init__(self):
            self.gamma = self.D

    with pytest.raises(AttributeError, match=r"Hasty has no 'D' before Agent.__init__ was called"):
        Hasty()
    with pytest.raises(AttributeError, match="qs_hist is kept with save_belief_hist=True"):
        _ = plain(OURS, *t_maze(utils)).qs_hist
    with pytest.raises(AttributeError, match="num_states follows from the model"):
        plain(OURS, *t_maze(utils)).num_states = [3]


@pytest.mark.parametrize("kind", [THEIRS[0], OURS[0], freeagent_core.pymdp_v0.Agent])
def test_the_constructor_calls_a_subclass_reset(kind):
    class Counting(kind):
        resets = 0

        def reset(self, init_qs=None):
            self.resets += 1
            self.seen = []
            return super().reset(init_qs)

    agent = Counting(*t_maze(utils))
    assert (agent.resets, agent.seen) == (1, [])
    agent.reset()
    assert agent.resets == 2


def learns_from_windows(kit, A, B):
    """Return what message passing leaves where B and A learn from beliefs averaged by hand."""
    agent = kit[0](
        A, B, pA=A * 2, pB=B * 2, inference_algo="MMP", inference_horizon=2, policy_len=2
    )
    obs, before, trace = [0, 0, 0], agent.D, []
    for place in (3, 1, 1):
        sequences = agent.infer_states(obs)
        agent.infer_policies()
        present = min(len(agent.prev_obs), agent.inference_horizon) - 1
        beliefs = kit[1].obj_array(agent.num_factors)
        for f in range(agent.num_factors):
            beliefs[f] = sum(
                q * steps[present][f] for q, steps in zip(agent.q_pi, sequences, strict=True)
            )
        action = agent.sample_action()
        agent.qs = beliefs
        agent.update_B(before)
        agent.update_A(obs)
        agent.qs = sequences
        trace.append([agent.pA, agent.pB, agent.A, agent.B, action])
        obs, before = [place, 0, 0], beliefs
    return trace


def test_learning_from_windows_takes_beliefs_assigned_by_factor():
    results = []
    for kit in (THEIRS, OURS):
        np.random.seed(0)
        results.append(learns_from_windows(kit, *t_maze(kit[1])))
    for theirs, ours in zip(*results, strict=True):
        for a, b in zip(theirs, ours, strict=True):
            for x, y in zip(a, b, strict=True):
                np.testing.assert_allclose(x, y, rtol=0, atol=1e-9)


def test_beliefs_by_factor_are_no_sequences():
    agent = OURS[0](*t_maze(utils), inference_algo="MMP")
    sequences = agent.infer_states([0, 0, 0])
    agent.qs = utils.obj_array_uniform(agent.num_states)
    for refused in (agent.infer_policies, lambda: copy.deepcopy(agent)):
        with pytest.raises(ValueError, match="qs must have an entry per policy"):
            refused()
    agent.qs = sequences
    assert agent.infer_policies()[0].shape == (len(agent.policies),)


def test_an_assigned_q_pi_stays_where_arrays_are_written_into():
    agent = plain(OURS, *t_maze(utils))
    agent.infer_states([0, 0, 0])
    agent.q_pi = np.array([0.1, 0.2, 0.3, 0.4])
    agent.C[1][1] = 3.0
    for other in (agent, copy.deepcopy(agent)):
        np.testing.assert_array_equal(other.q_pi, [0.1, 0.2, 0.3, 0.4])
        assert not hasattr(other, "G")
        assert other.sample_action()[0] == 3
