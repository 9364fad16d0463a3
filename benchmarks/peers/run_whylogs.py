"""A profile of the same rows by whylogs. Prints the seconds of one."""

import json
import os
import sys
import time

os.environ["WHYLOGS_NO_ANALYTICS"] = "True"

import numpy as np
import pandas as pd
import whylogs

current = pd.DataFrame(np.load(sys.argv[1])["current"])
current.columns = [f"feature{i}" for i in range(current.shape[1])]
took = []
for _ in range(3):
    start = time.process_time()
    whylogs.log(current).view()
    took.append(time.process_time() - start)
print(json.dumps(sorted(took)[1]))
