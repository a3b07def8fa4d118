"""``rtspkit doctor``: what works with a server, what does not, and what to set.

Layer:  cli
In:     findings, step by step
Out:    progress on standard error; at the end a table and a sentence, or one JSON object
"""

from __future__ import annotations

import json
import sys
import textwrap
from argparse import Namespace
from dataclasses import asdict

from rtspkit.cli.exits import CommandError, exit_code
from rtspkit.cli.figures import one_line
from rtspkit.cli.play import timeouts_from
from rtspkit.cli.trust import trust_from
from rtspkit.client.doctor import diagnose
from rtspkit.client.finding import NOT_REACHED, Diagnosis, Finding

__all__ = ["MARKS", "diagnosis_to_json", "doctor", "plain_lines", "reached", "summarize"]

MARKS = {"ok": "ok", "warning": "note", "failed": "FAIL", "skipped": "-"}
MARK_WIDTH = 4
STEP_WIDTH = 16
WIDTH = 80
INDENT = MARK_WIDTH + STEP_WIDTH + 4
DOING = {
    "name": "looking the name up",
    "connect": "connecting to each address",
    "tls": "shaking hands (TLS)",
    "rtsp": "asking for the description, and for the methods",
    "udp": "playing over UDP, for {seconds:g} s",
    "tcp": "playing over TCP, for {seconds:g} s",
}


async def doctor(arguments: Namespace) -> int:
    """Carry the command out; gives its exit code."""

    def tell(step: str) -> None:
        doing = DOING[step].format(seconds=arguments.seconds)
        print(f"doctor: {doing} ...", file=sys.stderr, flush=True)

    diagnosis = await diagnose(
        arguments.url,
        username=arguments.username,
        password=arguments.password,
        timeouts=timeouts_from(arguments.timeout),
        tls=trust_from(arguments),
        seconds=arguments.seconds,
        on_step=tell,
    )
    code = code_of(diagnosis)
    if arguments.json:
        print(json.dumps(diagnosis_to_json(diagnosis)), flush=True)
    else:
        _show(diagnosis)
    return code


def code_of(diagnosis: Diagnosis) -> int:
    """0 when media came over some transport, else by what is in the way."""
    if diagnosis.transports:
        return 0
    return exit_code(diagnosis.error or CommandError("no media", 1))


def diagnosis_to_json(diagnosis: Diagnosis) -> dict[str, object]:
    """The object that ``--json`` prints."""
    error = diagnosis.error
    return {
        "url": diagnosis.url,
        "works": bool(diagnosis.transports),
        "transports": diagnosis.transports,
        "summary": summarize(diagnosis),
        "seconds": round(diagnosis.seconds, 3),
        "error": None if error is None else type(error).__name__,
        "message": None if error is None else one_line(str(error)),
        "exit_code": code_of(diagnosis),
        "findings": [_to_json(finding) for finding in diagnosis.findings],
    }


def _to_json(finding: Finding) -> dict[str, object]:
    return asdict(finding) | {"seen": one_line(finding.seen), "advice": one_line(finding.advice)}


def summarize(diagnosis: Diagnosis) -> str:
    """The whole in one sentence."""
    findings = diagnosis.findings
    failed = [finding.step for finding in findings if finding.outcome == "failed"]
    notes = [finding.step for finding in findings if finding.outcome == "warning"]
    if not diagnosis.transports:
        blame = next((one for one in findings if one.outcome == "failed"), None)
        if blame is None:
            return f"It does not work: {one_line(str(diagnosis.error or 'no media'))}."
        return f"It does not work: {blame.step}: {one_line(blame.seen)}."
    over = " and ".join(kind.upper() for kind in diagnosis.transports)
    words = [f"It works over {over}"]
    if failed:
        words.append(f"{', '.join(failed)} failed")
    if notes:
        words.append(f"see the notes on {', '.join(notes)}")
    return f"{'; '.join(words)}."


def plain_lines(diagnosis: Diagnosis) -> list[str]:
    """The lines for any terminal, file or pipe."""
    lines = [one_line(diagnosis.url)]
    for finding in reached(diagnosis):
        head = f"  {MARKS[finding.outcome]:<{MARK_WIDTH}}  {finding.step:<{STEP_WIDTH}}"
        lines += _wrapped(finding.seen, head)
        if finding.advice:
            lines += _wrapped(f"-> {finding.advice}", " " * INDENT)
    return [*lines, "", *_wrapped(summarize(diagnosis), "")]


def reached(diagnosis: Diagnosis) -> list[Finding]:
    """The findings for a person: steps that were not come to share one."""
    findings = [finding for finding in diagnosis.findings if finding.seen != NOT_REACHED]
    rest = [finding.step for finding in diagnosis.findings if finding.seen == NOT_REACHED]
    if rest:
        findings.append(Finding("", "skipped", f"not tried: {', '.join(rest)}"))
    return findings


def _wrapped(text: str, head: str) -> list[str]:
    wrapped = textwrap.wrap(
        one_line(text),
        WIDTH,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return wrapped or [head.rstrip()]


def _show(diagnosis: Diagnosis) -> None:
    if sys.stdout.isatty():
        try:
            from rtspkit.cli.rich_findings import show_findings
        except ImportError:
            pass  # rich is optional
        else:
            show_findings(diagnosis)
            return
    print("\n".join(plain_lines(diagnosis)), flush=True)
