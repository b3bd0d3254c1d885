"""`python -m harness.completion bash|zsh|fish`: print a script that completes commands and their options.

eval "$(agilenn-bench completion bash)"
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
from importlib import import_module

from harness.commands import commands
from harness.host import cli

NAME = "agilenn-bench"
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")

_BASH = """_agilenn_bench() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" options=""
  if [ "$COMP_CWORD" -eq 1 ]; then COMPREPLY=($(compgen -W "{names} --version --help" -- "$word")); return; fi
  case "${{COMP_WORDS[1]}}" in
{cases}
  esac
  COMPREPLY=($(compgen -W "$options" -- "$word") $(compgen -f -- "$word"))
}}
complete -o filenames -F _agilenn_bench {program}
"""


def main(argv: list[str]) -> int:
    """Print the script."""
    p = cli.Parser(prog="python -m harness.completion", description=__doc__)
    p.add_argument("shell", choices=("bash", "zsh", "fish"))
    options = p.parse_args(argv)
    sys.stdout.write(script(options.shell, {name: options_of(name) for name in commands()}))
    return 0


def options_of(command: str) -> list[str]:
    """Return the long options of a command, as its own --help names them."""
    module, said = import_module(f"harness.commands.{command}"), io.StringIO()
    if command == "completion":
        return ["--help"]
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        module.main(["--help"])
    return sorted({"--help", *_OPTION.findall(said.getvalue())})


def script(shell: str, known: dict[str, list[str]]) -> str:
    """Return the script for a shell: of command names, their options, and files."""
    if shell == "fish":
        lines = [f"complete -c {NAME} -n __fish_use_subcommand -f -a '{' '.join(known)}'"]
        for name, options in known.items():
            words = " ".join(options)
            lines.append(f"complete -c {NAME} -n '__fish_seen_subcommand_from {name}' -a '{words}'")
        return "\n".join(lines) + "\n"
    cases = "\n".join(f'    {name}) options="{" ".join(options)}" ;;' for name, options in known.items())
    bash = _BASH.format(names=" ".join(known), cases=cases, program=NAME)
    return f"autoload -U +X bashcompinit && bashcompinit\n{bash}" if shell == "zsh" else bash


if __name__ == "__main__":
    sys.exit(cli.way_in(main))
