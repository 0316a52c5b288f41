"""The words of a message, once for all channels. Pure: facts in, text out; a channel adds its own escaping.

Everything an alert carries is hostile until it went through `tidy`, which drops control characters, those
that reverse the reading order of what follows, and halves of surrogate pairs, which no UTF-8 can hold.
"""

from incidentd.channels.words.addresses import MAX_URL, Link, links, silence_url, web_link
from incidentd.channels.words.lists import AlertLine, alert_lines, bundle_lines, more_alerts, summary_of
from incidentd.channels.words.safe import (
    MAX_TITLE,
    MAX_VALUE,
    clock,
    cut,
    cut_bytes,
    encodable,
    label_text,
    span,
    tidy,
    tidy_lines,
    when,
)
from incidentd.channels.words.say import (
    Fact,
    body_text,
    facts,
    firing,
    headline,
    plain,
    stand_in,
    state_line,
    story,
    title,
    verb,
    who,
)
from incidentd.channels.words.steps import (
    StepLine,
    all_steps,
    more_steps,
    next_steps,
    runbook_of,
    runbook_title,
)

__all__ = [
    "MAX_TITLE",
    "MAX_URL",
    "MAX_VALUE",
    "AlertLine",
    "Fact",
    "Link",
    "StepLine",
    "alert_lines",
    "all_steps",
    "body_text",
    "bundle_lines",
    "clock",
    "cut",
    "cut_bytes",
    "encodable",
    "facts",
    "firing",
    "headline",
    "label_text",
    "links",
    "more_alerts",
    "more_steps",
    "next_steps",
    "plain",
    "runbook_of",
    "runbook_title",
    "silence_url",
    "span",
    "stand_in",
    "state_line",
    "story",
    "summary_of",
    "tidy",
    "tidy_lines",
    "title",
    "verb",
    "web_link",
    "when",
    "who",
]
