import { integer, type Setting, type Settings, text } from '#kernel/config';

/** `name=command arg arg`, several separated by commas: the stdio tool servers that tenants may use by name. */
const commands: Setting<ReadonlyMap<string, readonly string[]>> = {
  fallback: new Map(),
  description:
    'Commands that tenants may use as stdio MCP servers, by name. They run as the user of Lintel: name only what you trust.',
  example: 'everything=mcp-server-everything stdio,memory=mcp-server-memory',
  read: (value) => {
    const found = new Map<string, readonly string[]>();
    for (const entry of value.split(',').map((part) => part.trim())) {
      if (entry === '') continue;
      const [, name, command] = /^([a-z0-9-]{1,100})=(\S.*)$/.exec(entry) ?? [];
      if (name === undefined || command === undefined) throw new Error(`takes name=command, not "${entry}"`);
      found.set(name, command.split(/\s+/));
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
