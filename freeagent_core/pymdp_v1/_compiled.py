"""The compiled inference, plan of policies and plan of searches of an agent's model.

They are made when first used and kept with the agent, which does not change; a variation of it
forgets them (`forget`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freeagent_core._agent import threads
from freeagent_core._kernels.agents import batch_threads, batched_inference
from freeagent_core._kernels.agents.batched_inference import BatchedInference
from freeagent_core._kernels.model.batched_model import BatchedModel, unwritten
from freeagent_core._kernels.planning.policy_plan import PolicyPlan
from freeagent_core.pymdp_v1 import _tables
from freeagent_core.pymdp_v1._arrays import as_array
from freeagent_core.pymdp_v1._policies import shared_parts

if TYPE_CHECKING:
    from freeagent_core.pymdp_v1._agent_model import AgentModel
    from freeagent_core.pymdp_v1.agent import Agent

batch_threads.set_threads(threads.num_cpus(), threads.finish, threads.MIN_PARALLEL_NS)
batched_inference.set_array_reader(as_array)


def inference_of(agent: Agent) -> BatchedInference:
    """Return the compiled inference on the agent's model."""
    kept: dict[str, Any] = agent.__dict__
    if not unwritten(kept["_lists"]):
        agent._take_writes()
    inference: BatchedInference | None = kept.get("_inference_of")
    if inference is None:
        inference = BatchedInference(
            BatchedModel(
                agent.batch_size,
                tuple(agent.num_states),
                tuple(agent.num_obs),
                tuple(agent.num_controls),
                tuple(tuple(factors) for factors in agent.A_dependencies),
                tuple(tuple(factors) for factors in agent.B_dependencies),
                [_tables.log_likelihood(A) for A in agent.A],
                [_tables.next_state_last(B) for B in agent.B],
            )
        )
        kept["_inference_of"] = inference
    return inference


def planning_of(agent: Agent) -> BatchedInference:
    """Return the compiled inference with the policies' plan and tables in place."""
    inference = inference_of(agent)
    if inference.plan is None:
        inference.plan = _make_plan(agent, inference.model)
    return inference


def search_plan_of(agent: Agent) -> tuple[BatchedInference, PolicyPlan]:
    """Return the compiled inference and the plan of searches, of utility and information."""
    inference = inference_of(agent)
    plan = agent.__dict__.get("_search_plan_of")
    if plan is None:
        searcher = agent._copy()
        searcher._set(
            use_param_info_gain=False,
            use_inductive=False,
            use_utility=True,
            use_states_info_gain=True,
        )
        plan = _make_plan(searcher, inference.model)
        agent.__dict__["_search_plan_of"] = plan
    return inference, plan


def forget(agent: AgentModel) -> None:
    """Drop what was made of the arrays and settings that the agent had."""
    agent.__dict__.pop("_inference_of", None)
    agent.__dict__.pop("_search_plan_of", None)


def forget_policies(agent: AgentModel) -> None:
    """Drop what was made of the policies alone, which other changes leave."""
    agent.__dict__.pop("_shared_parts", None)


def _make_plan(agent: Agent, model: BatchedModel) -> PolicyPlan:
    if agent.use_param_info_gain and agent.pA is None and agent.pB is None:
        raise ValueError("use_param_info_gain=True requires at least one of pA or pB.")
    shared = agent.__dict__.get("_shared_parts")
    if shared is None:
        shared = shared_parts(agent.policies.policy_arr, model.groups, model.B_dependencies)
        agent.__dict__["_shared_parts"] = shared
    return PolicyPlan(
        model, shared, _tables.planning_tables(agent, model.groups), agent.use_states_info_gain,
        not agent.use_param_info_gain,
    )  # fmt: skip
