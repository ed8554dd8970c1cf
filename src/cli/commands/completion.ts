import type { Command } from '../command.ts';

const SCRIPTS = {
  bash: `_fumehood() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -W "$("\${COMP_WORDS[0]}" completion words -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _fumehood fumehood ./fumehood
`,
  zsh: `#compdef fumehood
_fumehood() {
  local -a found
  found=(\${(f)"$("\${words[1]}" completion words -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  (( \${#found} )) && compadd -a found || _files
}
compdef _fumehood fumehood ./fumehood
`,
  fish: `complete -c fumehood -a '(fumehood completion words -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
`,
} as const;

/** How each is put in use; also the example of its command. */
const INSTALL: Record<keyof typeof SCRIPTS, string> = {
  bash: 'fumehood completion bash > ~/.local/share/bash-completion/completions/fumehood',
  zsh: 'fumehood completion zsh > ~/.zfunc/_fumehood',
  fish: 'fumehood completion fish > ~/.config/fish/completions/fumehood.fish',
};

const script = (shell: keyof typeof SCRIPTS): Command => ({
  verb: shell,
  summary: `Print completion for ${shell}`,
  example: INSTALL[shell],
  run: async (context) => {
    context.out.data(SCRIPTS[shell]);
    return undefined;
  },
});

/** `fumehood completion`. */
export const completion: readonly Command[] = [
  script('bash'),
  script('zsh'),
  script('fish'),
  {
    verb: 'words',
    summary: 'Print what may follow the given words',
    example: 'fumehood completion words -- sandbox st',
    hidden: true,
    rest: 'WORDS...',
    run: async (context) => {
      const { candidates } = await import('../complete.ts');
      context.out.data((await candidates(context.rest, context.api)).map((word) => `${word}\n`).join(''));
      return undefined;
    },
  },
];
