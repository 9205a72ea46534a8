"""1,000 agents on one thread, then in two parts on two threads."""

from concurrent.futures import ThreadPoolExecutor

import grid
import numpy as np

model = grid.make_model(policy_len=2)
simulation = grid.Simulation(model, 1000)
simulation.run(ticks=20)
print("in the last cell:", int((simulation.cells == 24).sum()))

parts = [grid.Simulation(model, 500, first_agent=first) for first in (0, 500)]
with ThreadPoolExecutor(2) as threads:
    for done in [threads.submit(part.run, 20) for part in parts]:
        done.result()
cells = np.concatenate([part.cells for part in parts])
print("the same from two threads:", bool((cells == simulation.cells).all()))
