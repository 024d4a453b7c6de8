"""From facts to plans: the rules of every mutation, without input or output; one kind of mutation per module.

Every problem of a request is collected in the plan, none is raised.
"""
