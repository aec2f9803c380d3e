"""A space told to a person: what is chosen, under which conditions, how many assignments there are, one of them."""

from __future__ import annotations


def num_assignments(choices):
    """Counts the ways to choose a value for every active choice.

    Args:
        choices: sequence of `Choice`, parents first.

    Returns:
        int.
    """
    choices = tuple(choices)
    # After which choice a parent's value is asked for the last time.
    last_use = {}
    for place, choice in enumerate(choices):
        for parent, _ in choice.conditions:
            last_use[parent] = place
    counts = {(): 1}  # values of the parents still needed -> ways to arrive there
    for place, choice in enumerate(choices):
        grown = {}
        for known, ways in counts.items():
            chosen = dict(known)
            is_active = all(chosen.get(parent) in allowed for parent, allowed in choice.conditions)
            for value in choice.values if is_active else (None,):
                state = chosen | {choice.name: value}
                key = tuple((name, kept) for name, kept in state.items() if last_use.get(name, -1) > place)
                grown[key] = grown.get(key, 0) + ways
        counts = grown
    return sum(counts.values())


def describe(space):
    """Writes what a space leaves open.

    Args:
        space: `MenuSpace`.

    Returns:
        str of several lines.
    """
    free = [choice for choice in space.menu.choices if not choice.is_fixed]
    fixed = [choice for choice in space.menu.choices if choice.is_fixed]
    width = max((len(choice.name) for choice in free), default=0)
    lines = [
        f"{type(space).__name__}: {space.input_shape} to {space.answer}, {len(free)} choices, "
        f"{_number(num_assignments(space.menu.choices))} assignments"
    ]
    for choice in free:
        values = ", ".join(map(str, choice.values))
        lines.append(f"  {choice.name:{width}}  {values}{_when(choice)}")
    lines += [f"  {choice.name} is {choice.values[0]}{_when(choice)}" for choice in fixed]
    lines.append(f"for example {space.architecture(_Values(_first(space.menu.choices))).summary()}")
    return "\n".join(lines)


class _Values:
    """What `architecture` reads."""

    def __init__(self, values):
        self.values = values


def _first(choices):
    """The defaults of the active choices."""
    chosen = {}
    for choice in choices:
        if all(chosen.get(parent) in allowed for parent, allowed in choice.conditions):
            chosen[choice.name] = choice.values[0] if choice.default is None else choice.default
    return chosen


def _when(choice):
    if not choice.conditions:
        return ""
    parent, allowed = choice.conditions[-1]
    return f"  where {parent} is {' or '.join(map(str, allowed))}"


def _number(count):
    return f"{count:,}" if count < 10**6 else f"{count:.1e}"
