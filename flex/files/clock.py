"""The time as files hold it; SOURCE_DATE_EPOCH fixes it, so that a run can be repeated byte for byte."""

import os
from datetime import UTC, datetime


def now() -> str:
    """The time as ISO 8601 in UTC, to the second; or the second since 1970 that SOURCE_DATE_EPOCH names."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.fromtimestamp(int(fixed), UTC) if fixed else datetime.now(UTC)
    return moment.isoformat(timespec="seconds")
