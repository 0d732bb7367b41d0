"""For the tests of a destination: the suite that every loader passes, ours and those of other packages."""

import pytest

# pytest tells what an assertion compared only in modules that it was told of before they are imported
pytest.register_assert_rewrite("etl.testing.contract")
