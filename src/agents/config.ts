import { integer, type Setting, type Settings, text } from '#kernel/config';

/** A command that tenants may use: it with its arguments, and the environment variables that tenants may set for it. */
type AllowedCommand = { readonly command: readonly string[]; readonly variables: readonly string[] };

/** `name=command arg arg` or `name[VARIABLE …]=command arg arg`, several separated by commas: stdio tool servers by name. */
const commands: Setting<ReadonlyMap<string, AllowedCommand>> = {
  fallback: new Map(),
  description:
    'Commands that tenants may use as stdio MCP servers, by name, with the environment variables that tenants may set in brackets. They run as the user of Lintel: name only what you trust.',
  example: 'everything=mcp-server-everything stdio,search[SEARCH_API_KEY]=mcp-server-search',
  read: (value) => {
    const found = new Map<string, AllowedCommand>();
    for (const entry of value.split(',').map((part) => part.trim())) {
      if (entry === '') continue;
      const [, name, variables = '', command] =
        /^([a-z0-9-]{1,100})(?:\[([A-Za-z0-9_ ]*)\])?=(\S.*)$/.exec(entry) ?? [];
      if (name === undefined || command === undefined)
        throw new Error(`takes name=command or name[VARIABLE …]=command, not "${entry}"`);
      found.set(name, { command: command.split(/\s+/), variables: variables.split(' ').filter((each) => each !== '') });
    }
    return found;
  },
};

/** The module's slice of the environment. */
export const settings = {
  LINTEL_MCP_COMMANDS: commands,
  PATH: text('/usr/local/bin:/usr/bin:/bin', 'Where the commands of stdio MCP servers are looked up.'),
  LINTEL_RUNS_IN_BACKGROUND: integer(16, 1, 1_000, 'Runs that the background process drives at a time.'),
  LINTEL_TOOL_TIMEOUT_SECONDS: integer(60, 1, 3_600, 'How long one tool call may take.'),
} as const satisfies Settings;
