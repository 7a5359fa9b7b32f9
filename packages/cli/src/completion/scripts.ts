export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/**
 * What a shell is to evaluate once. Each asks `aigw __complete` with what was typed as plain arguments: no word of an
 * unfinished line is ever evaluated.
 */
export const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: `# bash completion for aigw: eval "$(aigw completion bash)"
_aigw() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      if type compopt &>/dev/null; then
        compopt -o default 2>/dev/null
      else
        while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}")
      fi
      return 0
    fi
    [[ -n $line ]] && COMPREPLY+=("$line")
  done < <(command aigw __complete bash "\${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null)
  return 0
}
complete -F _aigw aigw`,

  zsh: `#compdef aigw
# zsh completion for aigw: eval "$(aigw completion zsh)"
_aigw() {
  local -a lines
  lines=("\${(@f)$(command aigw __complete zsh "\${(@Q)words[2,CURRENT-1]}" "\${(Q)PREFIX}" 2>/dev/null)}")
  lines=(\${lines:#})
  (( \${#lines} )) || return 1
  if [[ $lines[1] == :files ]]; then
    _files
    return
  fi
  _describe -t aigw 'aigw' lines
}
if [[ \${zsh_eval_context[-1]} == loadautofunc ]]; then
  _aigw "$@"
else
  (( \${+functions[compdef]} )) || { autoload -Uz compinit && compinit }
  compdef _aigw aigw
fi`,

  fish: `# fish completion for aigw: aigw completion fish | source
function __aigw_complete
    set -l words (commandline -opc)
    set -e words[1]
    set -l current (commandline -ct)
    set -l lines (command aigw __complete fish $words "$current" 2>/dev/null)
    if test "$lines[1]" = ":files"
        __fish_complete_path "$current"
    else if test (count $lines) -gt 0
        printf '%s\\n' $lines
    end
end
complete -c aigw -f -a '(__aigw_complete)'`,
};
