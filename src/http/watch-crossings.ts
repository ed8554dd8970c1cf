import type { Gateway } from '#src/gateway/crossing.ts';

export type CrossingWatch = {
  /** Follows a request until the returned function is called. */
  follow(requestId: string): () => void;
  /** Whether the request has crossed since it is followed. */
  crossed(requestId: string): boolean;
};

/** A gateway whose crossings are counted by request, so that the API can refuse to send an answer that has no audit entry. */
export function watchCrossings<G extends Pick<Gateway, 'cross'>>(gateway: G): { gateway: G; crossings: CrossingWatch } {
  const followed = new Map<string, { requests: number; crossings: number }>();
  const watched: G = {
    ...gateway,
    cross: (request) => {
      const one = followed.get(request.requestId);
      if (one !== undefined) one.crossings += 1;
      return gateway.cross(request);
    },
  };
  return {
    gateway: watched,
    crossings: {
      follow: (requestId) => {
        const one = followed.get(requestId) ?? { requests: 0, crossings: 0 };
        one.requests += 1;
        followed.set(requestId, one);
        return () => {
          one.requests -= 1;
          if (one.requests === 0) followed.delete(requestId);
        };
      },
      crossed: (requestId) => (followed.get(requestId)?.crossings ?? 0) > 0,
    },
  };
}
