"""Says what to do where a script is typed without the environment that the package is installed in.

Scripts import it first; Python looks for it in their own folder.
"""

import importlib.util
import sys

if importlib.util.find_spec("iemomecp_dataset") is None:
    sys.stderr.write(
        f"error: iemomecp is not installed for {sys.executable}: activate its environment by "
        "`source .venv/bin/activate`, which `make install` makes.\n"
    )
    raise SystemExit(2)
