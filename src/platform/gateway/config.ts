import { integer, type Settings } from '#kernel/config';

/** The gateway's slice of the environment. */
export const gatewaySettings = {
  LINTEL_UPSTREAM_HEADERS_SECONDS: integer(120, 1, 3600, 'How long a model provider may take until its answer begins.'),
  LINTEL_UPSTREAM_IDLE_SECONDS: integer(60, 1, 3600, 'How long a stream of a model provider may be silent.'),
  LINTEL_UPSTREAM_MAX_BYTES: integer(
    67_108_864,
    1024,
    1_073_741_824,
    'Largest plain answer of a model provider, bytes.',
  ),
  LINTEL_DEFAULT_OUTPUT_TOKENS: integer(
    4_096,
    1,
    1_000_000,
    'Output cap of a call that names none, to a model whose own cap is not known, where a limit applies.',
  ),
} as const satisfies Settings;
