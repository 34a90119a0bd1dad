"""Other tools in which people judge suspects: what is written for each, and how its exports become verdicts.

A tool is a module with the functions of ``tool.py``, and a line here.
"""

#: Modules, by the name under which a scan writes for a tool.
TOOLS = {
    "label-studio": "curvdetect.review.exports.label_studio",
    "fiftyone": "curvdetect.review.exports.fiftyone",
    "argilla": "curvdetect.review.exports.argilla",
}
