"""Experiences without a critic: the record of a rollout as it stands, for the ablation that leaves the critic out."""

from flex.types import Experience, Rule, Trajectory


def undistilled(trajectory: Trajectory) -> Experience:
    """The rollout as an experience: the question is its method, the whole record its trajectory, nothing is concluded.

    It holds what a critic would have read, the target where it is known included.
    """
    said = "solved" if trajectory.solved else "not solved"
    parts = [f"Question: {trajectory.task.question}"]
    for number, seen in enumerate(trajectory.rounds, 1):
        parts += [f"Attempt {number}: {seen.attempt.text}", f"Feedback: {seen.verdict.feedback}"]
    if trajectory.task.target is not None:
        parts.append(f"Target: {trajectory.task.target}")
    return Experience(
        method=f"A record of attempts, {said}: {trajectory.task.question}",
        rules=(Rule(f"No rule was drawn from these attempts; the problem was {said}."),),
        revised_trajectory="\n".join(parts),
        zone="golden" if trajectory.solved else "warning",
        problem_category="record of attempts",
        provenance={"tasks": [trajectory.task.id]},
    )
