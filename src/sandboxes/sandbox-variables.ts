import { ENVIRONMENT_PATH } from '#src/drivers/driver.ts';

/** The environment variables that clients look for, preset in every sandbox. None of them grants anything: the connection is the identity. */
export function presetVariables(options: {
  doors: Record<string, number>;
  hasEnvironment: boolean;
  cpus: number;
  /** Folders of programs that an image names. */
  searchPath: readonly string[];
}): Record<string, string> {
  const { doors } = options;
  const at = (door: string): string => `http://localhost:${doors[door] ?? 0}`;
  const path = options.searchPath.length > 0 ? [...options.searchPath] : ['/usr/local/bin', '/usr/bin', '/bin'];
  if (options.hasEnvironment) path.unshift(`${ENVIRONMENT_PATH}/bin`);
  const threads = String(Math.max(1, Math.floor(options.cpus)));
  return {
    PATH: path.join(':'),
    HOME: '/workspace',
    USER: 'sandbox',
    LOGNAME: 'sandbox',
    LANG: 'C.UTF-8',
    TMPDIR: '/tmp',
    PYTHONUNBUFFERED: '1',
    ...(options.hasEnvironment ? { VIRTUAL_ENV: ENVIRONMENT_PATH } : {}),
    OMP_NUM_THREADS: threads,
    OPENBLAS_NUM_THREADS: threads,
    MLFLOW_TRACKING_URI: at('mlflow'),
    MLFLOW_REGISTRY_URI: at('mlflow'),
    MLFLOW_S3_ENDPOINT_URL: at('s3'),
    MLFLOW_TRACKING_TOKEN: 'sandbox',
    AWS_ENDPOINT_URL: at('s3'),
    AWS_ENDPOINT_URL_S3: at('s3'),
    AWS_ACCESS_KEY_ID: 'sandbox',
    AWS_SECRET_ACCESS_KEY: 'sandbox',
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_EC2_METADATA_DISABLED: 'true',
    VAULT_ADDR: at('vault'),
    VAULT_TOKEN: 'sandbox',
    HTTP_PROXY: at('egress'),
    HTTPS_PROXY: at('egress'),
    http_proxy: at('egress'),
    https_proxy: at('egress'),
    NO_PROXY: 'localhost,127.0.0.1,::1',
    no_proxy: 'localhost,127.0.0.1,::1',
  };
}

/** Those that tell one sandbox from another. */
export const ownVariables = (sandbox: { id: string; name: string }): Record<string, string> => ({
  FUMEHOOD_SANDBOX_ID: sandbox.id,
  FUMEHOOD_SANDBOX_NAME: sandbox.name,
});

/** The preset of a sandbox with neither environment nor image. */
export const usualVariables = (doors: Record<string, number>, cpus: number): Record<string, string> =>
  presetVariables({ doors, cpus, hasEnvironment: false, searchPath: [] });
