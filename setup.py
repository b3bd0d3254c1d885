"""Names the packages: results/ stands at the top of the tree, and travels in a wheel as harness.results.

Without it an installed bench has neither the paper's numbers nor the committed rows and runs, and `compare`, `claims`
and `report` would miss their tables.
"""

from setuptools import find_namespace_packages, setup

FOUND = find_namespace_packages(include=["harness*", "testbeds*", "baselines*"])
SHIPPED = ["results/published", "results/reference"]
RESULTS = [
    p for p in find_namespace_packages(".", include=["results*"]) if p.replace(".", "/").startswith(tuple(SHIPPED))
]

# Of committed runs: for whoever reads the tree, and a third of the wheel.
PICTURES = ["*.png", "*.svg", "*.pdf", "*.html"]

setup(
    packages=[*FOUND, "harness.results", *(f"harness.{p}" for p in RESULTS)],
    package_dir={"harness.results": "results"},
    exclude_package_data={f"harness.{p}": PICTURES for p in RESULTS},
)
