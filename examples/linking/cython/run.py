"""1,000 agents on one thread, then in two parts on two threads."""

from concurrent.futures import ThreadPoolExecutor

import grid
import numpy as np

model = grid.make_model(policy_len=2)
cells = np.zeros(1000, dtype=np.int64)
grid.run(model, cells, ticks=20)
print("in the last cell:", int((cells == 24).sum()))

again = np.zeros(1000, dtype=np.int64)
with ThreadPoolExecutor(2) as threads:
    parts = [
        threads.submit(grid.run, model, again[first : first + 500], 20, first_agent=first)
        for first in (0, 500)
    ]
    for part in parts:
        part.result()
print("the same from two threads:", bool((again == cells).all()))
