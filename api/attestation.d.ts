// index.d.ts

/** Every code that a refusal can carry. Codes are API: match them, not messages, and not `instanceof`. */
type AttestationErrorCode = 
/** The bytes are empty or more than 16 KiB. */
'ERR_ATTESTATION_SIZE'
/** The message or its payload is not strict CBOR. */
 | 'ERR_ATTESTATION_CBOR'
/** Not the four-element array of RFC 9052 §4.2, untagged or with tag 18; or an element has the wrong type. */
 | 'ERR_ATTESTATION_COSE_SIGN1'
/** The protected header is not exactly `{1: -35}`, ES384. */
 | 'ERR_ATTESTATION_ALGORITHM'
/** The unprotected header is not an empty map. */
 | 'ERR_ATTESTATION_UNPROTECTED_HEADER'
/** The signature is not 96 bytes, r‖s. */
 | 'ERR_ATTESTATION_SIGNATURE_LENGTH'
/** A NitroTPM document: signed under the same root, at the request of the parent instance, not of an enclave. */
 | 'ERR_ATTESTATION_NITROTPM'
/** A field that every document has is absent. */
 | 'ERR_ATTESTATION_FIELD_ABSENT'
/** A field that AWS's specification does not know. */
 | 'ERR_ATTESTATION_FIELD_UNKNOWN'
/** `module_id` is not a non-empty text. */
 | 'ERR_ATTESTATION_MODULE_ID'
/** `digest` is not `SHA384`. */
 | 'ERR_ATTESTATION_DIGEST'
/** `timestamp` is not a positive integer that a date can hold. */
 | 'ERR_ATTESTATION_TIMESTAMP'
/** `pcrs` is not a map of 1 to 32 indices below 32 to 48 bytes each. */
 | 'ERR_ATTESTATION_PCRS'
/** `certificate` is not 1 to 1024 bytes. */
 | 'ERR_ATTESTATION_CERTIFICATE_SIZE'
/** `cabundle` is not 2 to 8 certificates of 1 to 1024 bytes each. */
 | 'ERR_ATTESTATION_CABUNDLE'
/** `public_key` is neither null nor 0 to 1024 bytes. */
 | 'ERR_ATTESTATION_PUBLIC_KEY_SIZE'
/** `user_data` is neither null nor 0 to 1024 bytes. */
 | 'ERR_ATTESTATION_USER_DATA_SIZE'
/** `nonce` is neither null nor 0 to 1024 bytes. */
 | 'ERR_ATTESTATION_NONCE_SIZE'
/** The first certificate of `cabundle` is, as a whole, none of the trust anchors. */
 | 'ERR_ATTESTATION_TRUST_ANCHOR'
/** A certificate is not the strict DER of X.509 v3. */
 | 'ERR_ATTESTATION_CERTIFICATE_MALFORMED'
/** A certificate is not signed with ecdsa-with-SHA384. */
 | 'ERR_ATTESTATION_CERTIFICATE_ALGORITHM'
/** A certificate's key is not an uncompressed point on the named curve P-384. */
 | 'ERR_ATTESTATION_CERTIFICATE_KEY'
/** A certificate's validity has not begun. */
 | 'ERR_ATTESTATION_CERTIFICATE_NOT_YET_VALID'
/** A certificate's validity has ended. */
 | 'ERR_ATTESTATION_CERTIFICATE_EXPIRED'
/** A certificate's issuer is not the subject of the certificate before it, or it stands in the path twice. */
 | 'ERR_ATTESTATION_CERTIFICATE_ISSUER'
/** A certificate that should issue the next one is no CA. */
 | 'ERR_ATTESTATION_CERTIFICATE_NOT_CA'
/** The certificate that signs the document is a CA. */
 | 'ERR_ATTESTATION_CERTIFICATE_IS_CA'
/** More CA certificates follow than a pathLenConstraint allows. */
 | 'ERR_ATTESTATION_CERTIFICATE_PATH_LENGTH'
/** keyUsage lacks keyCertSign on a CA or digitalSignature on the target, or the target may sign certificates. */
 | 'ERR_ATTESTATION_CERTIFICATE_KEY_USAGE'
/** An extension is critical and not known here, or limits the path in a way that is not evaluated here. */
 | 'ERR_ATTESTATION_CERTIFICATE_EXTENSION'
/** A certificate's signature does not verify under the key of the certificate before it. */
 | 'ERR_ATTESTATION_CERTIFICATE_SIGNATURE'
/** The document's signature does not verify under the key of `certificate`. */
 | 'ERR_ATTESTATION_SIGNATURE'
/** The document's timestamp lies in the future. */
 | 'ERR_ATTESTATION_TIMESTAMP_FUTURE'
/** The document's timestamp lies outside the validity of the certificate that signed it. */
 | 'ERR_ATTESTATION_TIMESTAMP_VALIDITY'
/** The document is older than `maxAge`. */
 | 'ERR_ATTESTATION_TOO_OLD'
/** The enclave runs in debug mode: its console is open to the parent and its PCR0, 1 and 2 are zero. */
 | 'ERR_ATTESTATION_DEBUG_MODE'
/** A PCR that must be known is not in the document. */
 | 'ERR_ATTESTATION_PCR_ABSENT'
/** A PCR differs from every set of reference values. */
 | 'ERR_ATTESTATION_PCR'
/** `nonce` is not the one expected. */
 | 'ERR_ATTESTATION_NONCE'
/** `public_key` is not the one expected. */
 | 'ERR_ATTESTATION_PUBLIC_KEY'
/** `user_data` is not the one expected. */
 | 'ERR_ATTESTATION_USER_DATA';
/**
 * Evidence was refused. Nothing of the document may be used after this is thrown. The message names the field, what was
 * expected and what was seen; it never carries keys, user data or nonces.
 */
declare class AttestationError extends Error {
    readonly code: AttestationErrorCode;
    constructor(code: AttestationErrorCode, message: string, options?: {
        cause?: unknown;
    });
}
/** A refusal because of one certificate of the path: codes `ERR_ATTESTATION_CERTIFICATE_…` and `…_TRUST_ANCHOR`. */
declare class CertificateError extends AttestationError {
    /** Where it stands in the document: `cabundle[0]` … or `certificate`. */
    readonly certificate: string;
    /** Its subject for people, escaped; undefined where it could not be read. */
    readonly subject: string | undefined;
    constructor(code: AttestationErrorCode, message: string, where: {
        certificate: string;
        subject?: string;
    }, options?: {
        cause?: unknown;
    });
}
/** A refusal because of one PCR: codes `ERR_ATTESTATION_PCR` and `ERR_ATTESTATION_PCR_ABSENT`. */
declare class PcrError extends AttestationError {
    readonly pcr: number;
    /** Hex of the reference value; undefined where any value but none was expected. */
    readonly expected: string | undefined;
    /** Hex of what the document has; undefined where it has none. */
    readonly actual: string | undefined;
    /** The set of reference values that came closest. */
    readonly label: string | undefined;
    constructor(code: AttestationErrorCode, message: string, detail: {
        pcr: number;
        expected?: string | undefined;
        actual?: string | undefined;
        label?: string | undefined;
    });
}

/**
 * What a document says, read and bounded by AWS's specification, and **not verified**: whoever relays a document can
 * write anything here.
 */
interface UnverifiedAttestationDocument {
    /** The enclave's name, `i-…-enc…`. */
    readonly moduleId: string;
    /** Always `SHA384`, the digest of the PCRs. */
    readonly digest: 'SHA384';
    /** When the NSM made the document, in whole milliseconds. */
    readonly timestamp: Date;
    /** Index to 48 bytes, for the PCRs that were locked: 0 to 15, and those the application locked. */
    readonly pcrs: ReadonlyMap<number, Uint8Array>;
    /** The certificate (DER) whose key signed the document. */
    readonly certificate: Uint8Array;
    /** Certificates (DER) from the root down to the issuer of `certificate`. */
    readonly cabundle: readonly Uint8Array[];
    /** The application's bytes; null where it gave none, empty where it gave none at a length of zero. */
    readonly publicKey: Uint8Array | null;
    readonly userData: Uint8Array | null;
    readonly nonce: Uint8Array | null;
}
/**
 * Reads a document without verifying anything of it: for display, or to find out whom to ask. Use `verifyAttestation`
 * for everything else.
 *
 * ```ts
 * import { decodeAttestationDocument } from '@enclavejs/attestation'
 *
 * export function claimedModule(document: Uint8Array): string {
 *   return decodeAttestationDocument(document).moduleId
 * }
 * ```
 *
 * @param bytes COSE_Sign1, untagged or tagged 18, at most 16 KiB. It is copied.
 * @throws {AttestationError} when the bytes break a rule of the format (RFC 9052 §4.2; AWS, "attestation process" §3.2).
 */
declare function decodeAttestationDocument(bytes: Uint8Array): UnverifiedAttestationDocument;

/** What a certificate of a document says, for people; nothing of it is verified. */
interface UnverifiedCertificate {
    /** As RFC 4514 writes names, most specific first, unusual characters escaped. */
    readonly subject: string;
    readonly issuer: string;
    /** Lower-case hex. */
    readonly serialNumber: string;
    readonly notBefore: Date;
    readonly notAfter: Date;
    /** Whether basicConstraints makes it a CA, and how many CA certificates may follow. */
    readonly ca: boolean;
    readonly pathLenConstraint: number | undefined;
    /** Names of RFC 5280 §4.2.1.3. */
    readonly keyUsage: readonly string[];
}
/**
 * Reads a certificate (DER) of a document's `cabundle` or `certificate`, without verifying anything of it.
 *
 * @param der 1 to 1024 bytes, as AWS bounds them.
 * @throws {AttestationError} `ERR_ATTESTATION_CERTIFICATE_MALFORMED` when it is not the strict DER of X.509 v3;
 *   `ERR_ATTESTATION_CERTIFICATE_SIZE` when it is longer.
 */
declare function decodeCertificate(der: Uint8Array): UnverifiedCertificate;

/**
 * What one image must measure to (RFC 9334 §8.3). It pins PCR0, 1 and 2 together, or PCR8, or both, and any others
 * beside them: the image as a whole, or whoever signed it.
 */
interface ReferenceValues {
    /** The name of this set in results and errors. Needed as soon as there are several. */
    readonly label?: string;
    /**
     * PCR index (0 to 31; `0` or `PCR0`, as `nitro-cli` prints it) to its 48 bytes, as bytes or as 96 hex digits. Zero
     * bytes stand for debug mode and are refused without `allowDebugMode`.
     */
    readonly pcrs: Readonly<Record<number | `PCR${number}`, string | Uint8Array>>;
}

/** A key as the crypto provider keeps it. */
type SubtleKey = object;
/**
 * What is used of WebCrypto's SubtleCrypto. `globalThis.crypto.subtle` is one; give another where the platform's lacks
 * P-384. Its answers decide what is accepted, so it is trusted like the verifier itself.
 */
interface Subtle {
    importKey(format: 'spki', key: Uint8Array<ArrayBuffer>, algorithm: {
        readonly name: string;
        readonly namedCurve?: string;
        readonly hash?: string;
    }, extractable: boolean, usages: 'verify'[]): Promise<SubtleKey>;
    verify(algorithm: {
        readonly name: string;
        readonly hash: string;
    }, key: SubtleKey, signature: Uint8Array<ArrayBuffer>, data: Uint8Array<ArrayBuffer>): Promise<boolean>;
    digest(algorithm: string, data: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer>;
}

/** An AWS partition whose root is built in. Other partitions have roots of their own: give those as `trustAnchors`. */
type Partition = 'aws' | 'aws-us-gov';
/** The certificate that ended a path. */
interface TrustAnchor {
    /** The partition whose built-in root it is; undefined for one of the caller's own `trustAnchors`. */
    readonly partition: Partition | undefined;
    /** Its subject for people. */
    readonly subject: string;
    /** Lower-case hex of SHA-256 over its DER. */
    readonly sha256: string;
}

/** What Evidence must satisfy to be accepted (RFC 9334 §8.5). Leaving an option out never weakens a check. */
interface AppraisalPolicyOptions {
    /**
     * The images that are accepted: one set, or several alternatives of which the document must match one in whole.
     * Required, unless `acceptAnyImage` is true.
     */
    readonly referenceValues?: ReferenceValues | readonly ReferenceValues[];
    /**
     * Dangerous: accepts every image of every AWS account, so anyone's enclave. For tools that show who signed, and for
     * callers that compare `pcrs` of the result themselves. Default false.
     */
    readonly acceptAnyImage?: boolean;
    /**
     * Dangerous: accepts enclaves in debug mode, whose memory of secrets the parent can read on their console, and lets
     * reference values be zero. Default false.
     */
    readonly allowDebugMode?: boolean;
    /**
     * Greatest age of a document in seconds, by its own timestamp; positive, fractions allowed. Without it, a `nonce` must be expected in
     * every call. Even an old document ends with its certificate, 3 hours after that was issued.
     */
    readonly maxAge?: number;
    /**
     * How far the verifier's clock may be behind, in seconds, 0 to 300. Default 10. It serves the document's timestamp
     * and notBefore (a certificate starts 3 s before it is issued); notAfter and `maxAge` know no tolerance.
     */
    readonly clockTolerance?: number;
    /** Whose built-in root ends the path. Default `aws`, the commercial regions; `aws-us-gov` is GovCloud. */
    readonly partition?: Partition;
    /**
     * Root certificates (DER) in place of the built-in one, compared byte for byte: other partitions, a simulator. Not
     * together with `partition`.
     */
    readonly trustAnchors?: readonly Uint8Array[];
}
/** What one exchange expects of the document that answers it. */
interface ExpectedFields {
    /** The challenge the enclave was given: at least 1 byte; 16 random bytes or more, used once, prove freshness. */
    readonly nonce?: Uint8Array;
    /** The `public_key` that the document must carry, byte for byte. */
    readonly publicKey?: Uint8Array;
    /** The `user_data` that the document must carry, byte for byte. */
    readonly userData?: Uint8Array;
}

/** What was verified, and only that. */
interface AttestationResult extends UnverifiedAttestationDocument {
    /** The root that ended the path, and the partition it stands for. */
    readonly trustAnchor: TrustAnchor;
    /** The label of the reference values that matched; undefined where the one set has none, or with `acceptAnyImage`. */
    readonly referenceLabel: string | undefined;
    /** True only with `allowDebugMode`: nothing such an enclave holds is secret. */
    readonly debugMode: boolean;
    /** Until when the certificate that signed the document is valid. */
    readonly notAfter: Date;
}
/** What an old document was, at a time that the caller chose. It says nothing of today: the enclave may be gone. */
interface ArchivedAttestationResult {
    /** The time that the path and the document were judged at. */
    readonly appraisedAt: Date;
    readonly archived: AttestationResult;
}
/** Options of {@link verifyAttestation}: a policy, and what this exchange expects. */
interface VerifyAttestationOptions extends AppraisalPolicyOptions, ExpectedFields {
    /** The time to judge at. Default: the clock, read once. For the past there is {@link verifyArchivedAttestation}. */
    readonly currentDate?: Date;
    /** Default `globalThis.crypto.subtle`. See {@link Subtle}. */
    readonly subtle?: Subtle;
}
/** Options of {@link verifyArchivedAttestation}. */
interface VerifyArchivedAttestationOptions extends AppraisalPolicyOptions, ExpectedFields {
    /** The time to judge at, or `document`: the document's own timestamp. */
    readonly at: Date | 'document';
    /** Default `globalThis.crypto.subtle`. See {@link Subtle}. */
    readonly subtle?: Subtle;
}
/** Options of {@link createVerifier}. */
interface VerifierOptions extends AppraisalPolicyOptions {
    /** How many certificates are remembered, 1 to 100,000; about 4 KB each. Default 1,000. */
    readonly cacheSize?: number;
    /** The clock, read once per call. Default the system's. */
    readonly now?: () => Date;
    /** Default `globalThis.crypto.subtle`. See {@link Subtle}. */
    readonly subtle?: Subtle;
}
/** A policy with a memory, for servers that see the same fleet all day. */
interface Verifier {
    /** As {@link verifyAttestation}, under this verifier's policy. */
    verify(bytes: Uint8Array, expected?: ExpectedFields): Promise<AttestationResult>;
}
/**
 * Verifies an attestation document of the Nitro Secure Module and appraises it. When it resolves, an enclave of the
 * partition whose root ended the path made this document; its image is one of `referenceValues`; it is fresh as `nonce`
 * or `maxAge` ask; and the fields in the result are those that were signed.
 *
 * It does not prove who sent the document: a parent can relay one. Bind your channel to it, by a key in `publicKey` or a
 * hash in `userData` that you compare with the peer's.
 *
 * ```ts
 * import { verifyAttestation } from '@enclavejs/attestation'
 *
 * export async function keyOf(
 *   document: Uint8Array,
 *   nonce: Uint8Array,
 *   pcrs: { 0: string; 1: string; 2: string },
 * ): Promise<Uint8Array | null> {
 *   const result = await verifyAttestation(document, { referenceValues: { pcrs }, nonce })
 *   return result.publicKey
 * }
 * ```
 *
 * @param bytes COSE_Sign1, untagged or tagged 18, at most 16 KiB. It is copied before the first await.
 * @throws {AttestationError} when the Evidence is refused; its `code` says by which rule.
 * @throws {TypeError | RangeError} when the options are unsafe, contradictory or unknown.
 * @see RFC 9052 §4.4, RFC 5280 §6.1, AWS "attestation process" §3.2
 */
declare function verifyAttestation(bytes: Uint8Array, options: VerifyAttestationOptions): Promise<AttestationResult>;
/**
 * Appraises a document at a time of the past: `at`, or its own timestamp. Whoever kept the document chose that time, so
 * the result proves that the enclave **was**, not that it is: it has another type, and needs neither nonce nor `maxAge`.
 *
 * @throws {AttestationError} and {TypeError | RangeError} as {@link verifyAttestation}.
 */
declare function verifyArchivedAttestation(bytes: Uint8Array, options: VerifyArchivedAttestationOptions): Promise<ArchivedAttestationResult>;
/**
 * A verifier that remembers which certificates carry a valid signature under which key, and nothing else: an accepted
 * fleet costs one signature a document instead of five. Names, dates, path length, usage and anchor are judged anew on
 * every call; a refused document leaves no trace.
 *
 * ```ts
 * import { createVerifier } from '@enclavejs/attestation'
 *
 * const verifier = createVerifier({
 *   referenceValues: { pcrs: { PCR8: 'ab'.repeat(48) } },
 *   maxAge: 60,
 * })
 * export const verify = (document: Uint8Array) => verifier.verify(document)
 * ```
 *
 * @throws {TypeError | RangeError} when the options are unsafe, contradictory or unknown.
 */
declare function createVerifier(options: VerifierOptions): Verifier;

/**
 * PCR3 of an enclave whose parent instance has this IAM role: SHA-384 over 48 zero bytes and the ARN. Without a role
 * PCR3 is zero.
 *
 * ```ts
 * import { computeRolePcr } from '@enclavejs/attestation'
 *
 * export const pcr3 = await computeRolePcr('arn:aws:iam::123456789012:role/webserver')
 * ```
 *
 * @param roleArn The role's ARN, `arn:aws:iam::…:role/…` (not that of its instance profile or session).
 * @returns 48 bytes for `referenceValues`.
 * @throws {TypeError} when it is not the ARN of a role.
 */
declare function computeRolePcr(roleArn: string): Promise<Uint8Array>;
/**
 * PCR4 of an enclave on this parent instance: SHA-384 over 48 zero bytes and the instance's id.
 *
 * @param instanceId `i-` and 8 or 17 hex digits.
 * @returns 48 bytes for `referenceValues`.
 * @throws {TypeError} when it is not an instance id.
 */
declare function computeInstancePcr(instanceId: string): Promise<Uint8Array>;
/**
 * PCR8 of an image signed with this certificate: SHA-384 over 48 zero bytes and SHA-384 of the certificate's DER.
 *
 * @param certificate The signing certificate, as DER bytes or as PEM text with exactly one certificate.
 * @returns 48 bytes for `referenceValues`.
 * @throws {TypeError} when the PEM text does not hold exactly one certificate.
 */
declare function computeSigningCertificatePcr(certificate: Uint8Array | string): Promise<Uint8Array>;

export { AttestationError, CertificateError, PcrError, computeInstancePcr, computeRolePcr, computeSigningCertificatePcr, createVerifier, decodeAttestationDocument, decodeCertificate, verifyArchivedAttestation, verifyAttestation };
export type { AppraisalPolicyOptions, ArchivedAttestationResult, AttestationErrorCode, AttestationResult, ExpectedFields, Partition, ReferenceValues, Subtle, SubtleKey, TrustAnchor, UnverifiedAttestationDocument, UnverifiedCertificate, Verifier, VerifierOptions, VerifyArchivedAttestationOptions, VerifyAttestationOptions };
