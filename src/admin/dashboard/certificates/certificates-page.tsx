import type { Certificate } from '../admin-api/answers.ts';
import { useAnswer } from '../admin-api/use-answer.ts';
import { useLive } from '../live/use-live.ts';
import { CertificateCard } from './certificate-card.tsx';

/** They change seldom: it is enough to ask now and then. */
const askEveryTicks = 10;

/** Names, and until when they are good; what is missing, or ends first, is first. */
export function CertificatesPage() {
  const { state } = useLive();
  const version = `${state.overview?.configuration} ${Math.floor(state.tick / askEveryTicks)}`;
  const { answer, problem } = useAnswer<{ certificates: Certificate[] }>('/api/v1/certificates', version);
  const certificates = answer?.certificates.toSorted((one, other) =>
    (one.validTo ?? '') < (other.validTo ?? '') ? -1 : 1,
  );
  return (
    <>
      <div class="page-head">
        <h1>Certificates</h1>
        {certificates !== undefined && <p class="amount">{certificates.length}</p>}
      </div>
      {answer === null && <p class="nothing">{problem ?? 'Looking …'}</p>}
      {certificates?.length === 0 && (
        <p class="nothing">None: no route ends TLS here, or none of their names was asked for yet.</p>
      )}
      <div class="routes">
        {certificates?.map((certificate) => (
          <CertificateCard
            key={`${certificate.names} ${certificate.fingerprint}`}
            certificate={certificate}
            now={state.overview?.at ?? Date.now()}
          />
        ))}
      </div>
    </>
  );
}
