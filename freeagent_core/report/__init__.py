"""``freeagent-core report``: how many agents this machine runs, and how to coordinate them.

Data flows down this list:

- `worlds`, `loading`: the model, by name, from a file, or from gymnasium
- `environment`: closed loops, so that what an agent observes follows from what it did
- `ways`: the ways to step agents, behind one interface
- `rounds`, `capacity`, `phases`, `peers`: what is measured; `schedule`: in which time
- `statistics`: medians, intervals, crossings
- `findings`: estimates from the measurements; `sections`, `claims`: what the report says of them
- `assembling`: the document from all of it
- `document`, `plots`, `rendering`, `output`: one document as JSON, Markdown and HTML
- `compare`: two reports side by side
- `command_line`: all of it, in order

Needs the extra ``report`` (rich, matplotlib, Jinja2). docs/report.md explains each section and
the JSON schema.
"""
