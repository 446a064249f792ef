// error.d.ts

import { SecureContextOptions, SecureContext, Server } from 'node:tls';

/** What lies in the object, as it is read: nothing of it is proven. */
interface UnverifiedBundle {
    /** The leaf, PEM. */
    readonly certificate: string;
    /** Its issuers, PEM; may be empty. */
    readonly certificateChain: string;
    /** A KMS `CiphertextBlob` of the private key's PEM. */
    readonly encryptedPrivateKey: Uint8Array;
    /** What the writer said; nothing depends on it. */
    readonly encryptionMethod: string;
    /** Own bundles alone: which one it is of its ARN, counted from 1. The encryption context holds it too, so that it cannot be changed. */
    readonly version: number | undefined;
}
/**
 * Reads a bundle: one JSON object with the four members that AWS's own enclave requires (`certificate`, `certificateChain`,
 * `encryptedPrivateKey` in base64, `encryptionMethod`), all texts; own bundles have `version` besides. Nothing in it is
 * trusted by being read.
 *
 * @throws {AcmError} `ERR_ACM_BUNDLE_SIZE`, `ERR_ACM_BUNDLE_JSON`, `ERR_ACM_BUNDLE_DUPLICATE`, `ERR_ACM_BUNDLE_UNKNOWN`,
 * `ERR_ACM_BUNDLE_MISSING`, `ERR_ACM_BUNDLE_CIPHERTEXT`, `ERR_ACM_BUNDLE_VERSION`
 */
declare function decodeBundle(bytes: Uint8Array): UnverifiedBundle;

/** A bundle as it was fetched, and what to ask with the next time. */
interface FetchedBundle {
    readonly bundle: UnverifiedBundle;
    readonly etag: string | undefined;
}
/** What a source does; for this package alone, because it gives the private key. */
interface SourceParts {
    readonly description: string;
    /** Undefined where it is still the bundle of `etag`. */
    fetch(etag: string | undefined, signal: AbortSignal): Promise<FetchedBundle | undefined>;
    /** The private key's bytes. Whoever called overwrites them. */
    decrypt(bundle: UnverifiedBundle, signal: AbortSignal): Promise<Uint8Array>;
    close(): Promise<void>;
}
/**
 * Where a certificate comes from: {@link fromAssociatedCertificate}, {@link fromBundleObject} or {@link fromBytes}. It belongs to the
 * one `createAcmCertificate` that it is given to, which closes it.
 */
declare class CertificateSource {
    #private;
    constructor(parts: SourceParts);
    /** What it is, for logs: `s3://bucket/key`. */
    get description(): string;
}

/** Settings of the TLS that is served, as in `tls.createSecureContext`. */
type TlsSettings = Pick<SecureContextOptions, 'ca' | 'ciphers' | 'ecdhCurve' | 'honorCipherOrder' | 'maxVersion' | 'minVersion' | 'sessionIdContext' | 'sessionTimeout' | 'sigalgs'>;
/** Options of {@link createAcmCertificate}. Unknown names are refused. */
interface AcmCertificateOptions {
    /** Where the certificate comes from. It is closed with the certificate. */
    readonly source: CertificateSource;
    /** Host names that the certificate must all be for; `*.example.com` must be in it as it is. From the image, at least one. */
    readonly hostNames: readonly string[];
    /** PEM. When given, the path must end below one of them. Default: any root, as the clients judge it anyway. */
    readonly trustAnchors?: readonly string[];
    /** Versions below are refused. Raise it with each image: it is all that reaches across boots. Default 1. */
    readonly leastVersion?: number;
    /** Milliseconds between polls, give or take a tenth. 1000 to 86400000, default 600000. After a failure sooner. */
    readonly pollMs?: number;
    /** The private key is decrypted again after this time even if nothing changed, so that a policy that no longer allows it is noticed. Default 12 hours. */
    readonly reattestMs?: number;
    /** `expiring` is published from so long before the end. Default 15 days. */
    readonly warnBeforeMs?: number;
    /** Nothing is served when no poll has succeeded for so long, even if the certificate is still valid. Default: until its end. */
    readonly failClosedAfterMs?: number;
    /** How long the first load tries again while S3, KMS or credentials are out. 0: once. Default 30000. */
    readonly startTimeoutMs?: number;
    /** Settings of the TLS that is served. Default: Node's, TLS 1.2 and 1.3. */
    readonly tls?: TlsSettings;
    /** The clock that dates are judged by. Default: the system's. */
    readonly now?: () => Date;
}
type RequiredOptions = Required<Omit<AcmCertificateOptions, 'trustAnchors'>> & {
    readonly trustAnchors: readonly string[] | undefined;
};

/** What {@link AcmCertificate.state} says. */
interface AcmCertificateState {
    /** `serving`; `expired` and `stale`: nothing is served until a renewal comes; `closed`. */
    readonly status: 'serving' | 'expired' | 'stale' | 'closed';
    /** Hexadecimal, of the leaf that was loaded last. */
    readonly serialNumber: string;
    /** SHA-256 of the leaf, as `node:crypto` writes it. */
    readonly fingerprint256: string;
    readonly notBefore: Date;
    /** The earliest end in the certification path. */
    readonly notAfter: Date;
    /** Of own bundles. */
    readonly version: number | undefined;
    readonly loadedAt: Date;
    /** The last poll that succeeded. */
    readonly checkedAt: Date;
    /** Polls that failed since. */
    readonly failures: number;
    /** What the last of them failed with. */
    readonly lastFailure: {
        readonly code: string;
        readonly message: string;
        readonly at: Date;
    } | undefined;
}
/** A certificate that renews itself. Comes from {@link createAcmCertificate}. */
declare class AcmCertificate implements AsyncDisposable {
    #private;
    /** Certificates come from {@link createAcmCertificate}. */
    constructor(options: RequiredOptions);
    /** Loads for the first time, and begins to poll; `createAcmCertificate` has called it. */
    start(): Promise<void>;
    /** What is served, since when, and how the last polls went. */
    get state(): AcmCertificateState;
    /** Leaf and issuers as they are sent to clients, PEM. */
    get certificatePem(): string;
    /**
     * The context of the newest certificate, for `new TLSSocket`, `SNICallback` or `addContext`. Ask for it for each connection: one
     * that is kept goes on with what it was made of. A context lets nobody read its key.
     *
     * @throws {AcmError} `ERR_ACM_NO_CERTIFICATE` when the certificate has ended or is stale, `ERR_ACM_CLOSED`
     */
    secureContext(): SecureContext;
    /** Whether the certificate is for a host name that a client asks for. */
    isFor(hostName: string): boolean;
    /**
     * Makes this the certificate of a server of `node:tls` or `node:https`, now and after each renewal (`setSecureContext`). Connections
     * that are open stay; new ones, and resumed sessions, see the new certificate. When it has ended, new connections are
     * refused. Costs one attested Decrypt, because the key was not kept.
     *
     * @throws {AcmError} as loading does; the server is then left as it was
     */
    attach(server: Server): Promise<void>;
    /** Leaves a server as it is from now on. */
    detach(server: Server): void;
    /**
     * Polls now, and not only when it is time.
     *
     * @throws {AcmError} why nothing was renewed; what was served is served further
     */
    refresh(): Promise<void>;
    /** Ends polling and closes the source. Servers that it was attached to go on with what they have. May be called twice. */
    close(): Promise<void>;
    /** {@link AcmCertificate.close}, for `await using`. */
    [Symbol.asyncDispose](): Promise<void>;
}
/**
 * Loads a certificate and keeps it new: polls its source, swaps it in without dropping a connection, keeps the last good one when
 * anything fails, serves none that has ended. Never are a bundle that is bad, for other names, or older than the newest seen
 * put in the place of a good one. What this cannot know is what was seen before this process began: a parent can replay an old
 * bundle at boot, as long as its certificate is valid and its version is at least `leastVersion`.
 *
 * Polling does not keep the process alive; a server does.
 *
 * @throws {TypeError} {@link RangeError} naming the option
 * @throws {AcmError} why the first load failed; S3, KMS and credentials are given `startTimeoutMs` to come back
 */
declare function createAcmCertificate(options: AcmCertificateOptions): Promise<AcmCertificate>;

/** Every code an {@link AcmError} can carry. */
type AcmErrorCode = 
/** A bundle has more than 64 KiB. */
'ERR_ACM_BUNDLE_SIZE'
/** A bundle is no JSON object of texts: cut off, not UTF-8, nested. */
 | 'ERR_ACM_BUNDLE_JSON'
/** A bundle has a member twice, of which a reader may see either. */
 | 'ERR_ACM_BUNDLE_DUPLICATE'
/** A bundle lacks one of its four members, or has it empty. */
 | 'ERR_ACM_BUNDLE_MISSING'
/** A bundle has a member that is not one of a bundle's. */
 | 'ERR_ACM_BUNDLE_UNKNOWN'
/** `encryptedPrivateKey` is not base64 of a KMS ciphertext. */
 | 'ERR_ACM_BUNDLE_CIPHERTEXT'
/** `version` of an own bundle is missing or no number. */
 | 'ERR_ACM_BUNDLE_VERSION'
/** `certificate` is not one certificate in PEM, or `certificateChain` not up to ten. */
 | 'ERR_ACM_CERTIFICATE'
/** The certificate is a CA's, or one that no server may use. */
 | 'ERR_ACM_CERTIFICATE_USAGE'
/** The certificates form no path: an issuer is missing, did not sign, is no CA, or one belongs to another path. */
 | 'ERR_ACM_PATH'
/** A CA of the path may not issue for a name of a certificate below it. */
 | 'ERR_ACM_NAME_CONSTRAINTS'
/** A certificate of the path has a critical extension that is not understood here. */
 | 'ERR_ACM_CRITICAL_EXTENSION'
/** A certificate of the path has ended. */
 | 'ERR_ACM_EXPIRED'
/** A certificate of the path has not begun. */
 | 'ERR_ACM_NOT_YET_VALID'
/** The certificate is not for a host name that is expected. */
 | 'ERR_ACM_NAME'
/** What KMS decrypted is no private key in PEM or DER, or an encrypted one. */
 | 'ERR_ACM_KEY_FORM'
/** The private key is neither RSA of 2048 to 8192 bits nor of P-256, P-384 or P-521. */
 | 'ERR_ACM_KEY_KIND'
/** The private key is not that of the certificate. */
 | 'ERR_ACM_KEY_MISMATCH'
/** The private key is encrypted under another KMS key than the one expected. */
 | 'ERR_ACM_FOREIGN_KEY'
/** KMS cannot decrypt the private key: changed, cut off, or made for another ARN or version. */
 | 'ERR_ACM_CIPHERTEXT'
/** KMS refuses this enclave: the key's policy does not name its PCRs or its role. */
 | 'ERR_ACM_DENIED'
/** The key of an associated certificate is AWS's, and its policy refuses this enclave: probably it names AWS's own image alone. */
 | 'ERR_ACM_ASSOCIATED_KEY'
/** The bundle is older than one seen before. */
 | 'ERR_ACM_ROLLBACK'
/** S3 has no such object, or no such bucket. */
 | 'ERR_ACM_OBJECT_MISSING'
/** S3 refuses: no permission, or the bucket is another account's. */
 | 'ERR_ACM_OBJECT_DENIED'
/** S3 answered with something else than the object. */
 | 'ERR_ACM_OBJECT'
/** S3 cannot be reached, or does not answer in time. */
 | 'ERR_ACM_STORE'
/** KMS cannot be reached, or does not answer in time. */
 | 'ERR_ACM_KMS'
/** No credentials, or none that AWS takes. */
 | 'ERR_ACM_CREDENTIALS'
/** The parent handed no bytes in, or failed to. */
 | 'ERR_ACM_BYTES'
/** There is no certificate that may be served: none was loaded yet, or the last good one has ended. */
 | 'ERR_ACM_NO_CERTIFICATE'
/** EC2 or ACM refused a call, or failed; an {@link AcmServiceError} with AWS's own code. */
 | 'ERR_ACM_SERVICE'
/** A certificate that was handed back does not belong to the request it answers. */
 | 'ERR_ACM_REQUEST'
/** The certificate, or its source, was closed. */
 | 'ERR_ACM_CLOSED'
/** A package that the defaults need is not installed. */
 | 'ERR_ACM_PACKAGE'
/** A private key that no token serves, or that is not the certificate's. */
 | 'ERR_ACM_TOKEN_KEY'
/** A certificate for a token that is none. */
 | 'ERR_ACM_TOKEN_CERTIFICATE'
/** The token has a key of that id already, or none of it. */
 | 'ERR_ACM_TOKEN_ID'
/** The token's native addon is missing or does not load: no Linux, or an architecture without a prebuilt addon. */
 | 'ERR_ACM_TOKEN_BINDING'
/** The token in the enclave cannot be reached, does not answer in time, or answers with something else. */
 | 'ERR_ACM_TOKEN_ENCLAVE'
/** The token in the enclave has more objects than a relay takes. */
 | 'ERR_ACM_TOKEN_OBJECTS'
/** The token in the enclave refused the PIN, or takes no more attempts now. */
 | 'ERR_ACM_TOKEN_PIN'
/** The token was closed. */
 | 'ERR_ACM_TOKEN_CLOSED';
/** Everything that goes wrong in this package, except the caller's own mistakes (`TypeError`, `RangeError`). */
declare class AcmError extends Error {
    readonly code: AcmErrorCode;
    constructor(code: AcmErrorCode, message: string, details?: {
        readonly cause?: unknown;
    });
}
/** EC2 or ACM refused a call. Always `ERR_ACM_SERVICE`; what AWS calls it is in `serviceCode`. */
declare class AcmServiceError extends AcmError {
    /** The API operation: `AssociateEnclaveCertificateIamRole`. */
    readonly operation: string;
    /** AWS's name of the error: `InvalidParameterValue`; `Unknown` where the answer had none. */
    readonly serviceCode: string;
    /** The HTTP status. */
    readonly status: number;
    constructor(operation: string, serviceCode: string, message: string, status: number);
}

export { CertificateSource as C, AcmCertificate as a, AcmError as d, AcmServiceError as e, createAcmCertificate as f, decodeBundle as g };
export type { AcmErrorCode as A, TlsSettings as T, UnverifiedBundle as U, AcmCertificateOptions as b, AcmCertificateState as c };

// index.d.ts

import { Deadlines, Connect, Credentials, CredentialsProvider, TlsVersion, GetEvidence } from '@enclavejs/kms-enclave';
import { C as CertificateSource, A as AcmErrorCode, a as AcmCertificate } from './error.js';
export { b as AcmCertificateOptions, c as AcmCertificateState, d as AcmError, e as AcmServiceError, T as TlsSettings, U as UnverifiedBundle, f as createAcmCertificate, g as decodeBundle } from './error.js';
import { KeyObject } from 'node:crypto';
import { Socket } from 'node:net';
import { Server, SecureContext } from 'node:tls';

/** How AWS is reached, and as whom. */
interface AwsWay extends Deadlines {
    /**
     * Streams to S3 and KMS, port 443. Default: the CONNECT door of the parent's `enclavejs proxy`, vsock port 8001. Whoever carries
     * them need not be trusted: TLS begins and ends in this process.
     */
    readonly connect?: Connect;
    /** Who calls. Default: the parent's vsock port 8002, where `enclavejs credentials serve` listens. */
    readonly credentials?: Credentials | CredentialsProvider;
    /** PEM certificates in the place of Amazon's roots. Default: those of `connect`, else Amazon's. */
    readonly roots?: readonly string[];
    /** Oldest TLS with S3 and KMS. Default `TLSv1.3`. */
    readonly minTlsVersion?: TlsVersion;
    /** Attempts of one call where waiting can help, 1 to 10. Default 3. */
    readonly maxAttempts?: number;
    /** The clock of signatures and credentials. Default: the system's. */
    readonly now?: () => Date;
}
/** The same, to a service that wants attestation. */
interface AttestedWay extends AwsWay {
    /** Default: the NSM of this enclave. */
    readonly getEvidence?: GetEvidence;
}

/** An object in an own bucket, and the own key: where a bundle is published to and loaded from. */
interface BundleLocation {
    readonly bucket: string;
    /** The object's key. */
    readonly key: string;
    /** The account that must own the bucket, twelve digits. */
    readonly expectedBucketOwner: string;
    /** The full ARN of the own KMS key, whose policy names the PCRs of the image. From the image, never from the parent. */
    readonly keyArn: string;
    /** The bucket's region. Default: that of the KMS key. */
    readonly region?: string;
    /**
     * What the private key is bound to beside its version, in the encryption context. Default: the object's own ARN,
     * `arn:PARTITION:s3:::BUCKET/KEY`. The ARN of a certificate in ACM where there is one.
     */
    readonly arn?: string;
}
/** Options of {@link fromBundleObject}. Unknown names are refused. */
interface BundleObjectOptions extends AttestedWay, BundleLocation {
}
/**
 * A bundle in an own bucket, its private key under an own KMS key: what {@link publishCertificate} stores. KMS decrypts it for
 * enclaves alone whose PCRs the key's policy names (`enclavejs kms check-policy`), and for the ARN and the version that it was made
 * for.
 *
 * @throws {TypeError} naming the option
 */
declare function fromBundleObject(options: BundleObjectOptions): CertificateSource;

/** A certificate of ACM that is associated with a role: where its bundle lies, and under which key. Members as in the API. */
interface CertificateAssociation {
    readonly AssociatedRoleArn: string;
    readonly CertificateS3BucketName: string;
    /** `ROLE_ARN/CERTIFICATE_ARN` */
    readonly CertificateS3ObjectKey: string;
    /** The id of a KMS key in AWS's account. */
    readonly EncryptionKmsKeyId: string;
}
/** Which certificate, and how EC2 is reached. Called from wherever there are permissions, seldom an enclave. */
interface AssociationOptions extends AwsWay {
    readonly certificateArn: string;
}
/**
 * AssociateEnclaveCertificateIamRole: AWS stores the certificate's bundle for the role, and again at each renewal. At most 16 roles
 * a certificate. Who can decrypt it: see {@link fromAssociatedCertificate}.
 *
 * @throws {AcmServiceError} `ERR_ACM_SERVICE`
 * @see https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateEnclaveCertificateIamRole.html
 */
declare function associateCertificate(options: AssociationOptions & {
    readonly roleArn: string;
}): Promise<CertificateAssociation>;
/** DisassociateEnclaveCertificateIamRole: AWS deletes the bundle and the role's permission to the key. @throws {AcmServiceError} `ERR_ACM_SERVICE` */
declare function disassociateCertificate(options: AssociationOptions & {
    readonly roleArn: string;
}): Promise<void>;
/** GetAssociatedEnclaveCertificateIamRoles: the roles that a certificate is associated with. @throws {AcmServiceError} `ERR_ACM_SERVICE` */
declare function getAssociatedRoles(options: AssociationOptions): Promise<readonly CertificateAssociation[]>;
/** A statement of an IAM policy. */
interface PolicyStatement {
    readonly Sid: string;
    readonly Effect: 'Allow';
    readonly Action: readonly string[];
    readonly Resource: string;
}
/** What the role of the instance must be allowed so that its enclave can load an associated certificate. */
declare function associatedRoleStatements({ CertificateS3BucketName: bucket, CertificateS3ObjectKey: key, EncryptionKmsKeyId: keyId, }: CertificateAssociation, region: string): readonly PolicyStatement[];
/**
 * What a role must be allowed so that its enclave can load an own bundle; and with `publish`, make one. The key's own policy says
 * which enclaves: allow nothing there without the PCRs of the image.
 */
declare function ownRoleStatements(location: BundleLocation, { publish }?: {
    readonly publish?: boolean;
}): readonly PolicyStatement[];

/** What is published on the diagnostics channel `enclavejs:acm:certificate`. No keys, no certificates. */
interface AcmCertificateEvent {
    /**
     * `loaded`, the first; `renewed`, another in its place; `unchanged`; `failed`, nothing changed and `code` says why;
     * `expiring`, once a day when less than `warnBeforeMs` is left; `expired` and `stale`, nothing is served any more; `closed`.
     */
    readonly kind: 'loaded' | 'renewed' | 'unchanged' | 'failed' | 'expiring' | 'expired' | 'stale' | 'closed';
    /** The source's description. */
    readonly source: string;
    /** Of the certificate that is served. */
    readonly serialNumber: string | undefined;
    readonly notAfter: Date | undefined;
    readonly version: number | undefined;
    /** Polls that failed since the last one that did not. */
    readonly failures: number;
    /** Of `failed`. */
    readonly code?: AcmErrorCode | 'unknown';
    readonly message?: string;
}

/** Kinds of keys that a request can be made with, as ACM names them. */
type RequestKeyAlgorithm = 'EC_prime256v1' | 'EC_secp384r1' | 'RSA_2048' | 'RSA_3072' | 'RSA_4096';
/** Options of {@link createCertificateRequest}. Unknown names are refused. */
interface CertificateRequestOptions {
    /** The DNS names that the certificate is to have, 1 to 100. */
    readonly hostNames: readonly string[];
    /** Default `EC_prime256v1`. */
    readonly keyAlgorithm?: RequestKeyAlgorithm;
}
/** A private key that was made in this process, and what a CA is asked with. Comes from {@link createCertificateRequest}. */
declare class CertificateRequest {
    #private;
    /** PKCS #10 (RFC 2986), PEM, for any CA: ACM Private CA, ACME, your own. */
    readonly pem: string;
    /** The same, DER. */
    readonly der: Uint8Array;
    readonly hostNames: readonly string[];
    /** Requests come from {@link createCertificateRequest}. */
    constructor(privateKey: KeyObject, hostNames: readonly string[]);
}
/**
 * Makes a key and a request for a certificate, in the enclave: the first half of publishing. The key stays in this process until
 * {@link publishCertificate} encrypts it, and is lost when the process ends before that.
 *
 * @throws {TypeError} naming the option
 * @example
 * ```ts
 * import { createCertificateRequest } from '@enclavejs/acm-enclave'
 *
 * const request = await createCertificateRequest({ hostNames: ['www.example.com'] })
 * console.log(request.pem)
 * ```
 */
declare function createCertificateRequest(options: CertificateRequestOptions): Promise<CertificateRequest>;

/** An address as the parent told it, of a connection. */
interface ClaimedClient {
    /** The client's address as the parent tells it; undefined where it told none. For logs and limits; never for access. */
    readonly claimedAddress: {
        readonly address: string;
        readonly family: 4 | 6;
        readonly port: number;
    } | undefined;
}
/**
 * Gives a connection of the parent's proxy to a TLS server: reads the PROXY v2 header that `inbound` entries with
 * `proxyProtocol: true` put in front, remembers what it claims, and lets TLS begin. A connection without a well-formed header is
 * destroyed. Use it as the listener of a vsock server.
 *
 * @returns whether the server has the connection now
 * @throws {AcmError} `ERR_ACM_PACKAGE` where @enclavejs/vsock is not installed
 * @example
 * ```ts
 * import { createServer as createHttpsServer } from 'node:https'
 * import { acceptProxied, claimedAddressOf } from '@enclavejs/acm-enclave'
 * import { createServer } from '@enclavejs/vsock'
 *
 * const https = createHttpsServer((request, response) => {
 *   console.log(claimedAddressOf(request.socket)?.address)
 *   response.end('hello')
 * })
 * const vsock = createServer((socket) => void acceptProxied(https, socket))
 * vsock.listen({ port: 8443 })
 * ```
 */
declare function acceptProxied(server: Server, socket: Socket): Promise<boolean>;
/**
 * The client's address as the parent told it, for a socket of a server that {@link acceptProxied} feeds: the raw one, or the TLS
 * socket above it. Undefined where none was told.
 */
declare function claimedAddressOf(socket: object): ClaimedClient['claimedAddress'];

/** Where to store, and how to reach it. */
interface PublishOptions extends AttestedWay, BundleLocation {
    /**
     * The version of the bundle; enclaves take none below the newest they have seen. Default: one more than that of the object that
     * is there now, which is as true as S3 and whoever may write there.
     */
    readonly version?: number;
}
/** What was stored. */
interface PublishedBundle {
    readonly version: number;
    readonly arn: string;
    readonly bucket: string;
    readonly key: string;
    readonly notAfter: Date;
}
/** A certificate that a CA gave. */
interface IssuedCertificate {
    /** The leaf, PEM. */
    readonly certificate: string;
    /** Its issuers, PEM; in whatever order. */
    readonly certificateChain: string;
}
/**
 * The second half of publishing: takes the certificate that a CA gave to the request, encrypts the request's private key under the own
 * KMS key with its ARN and version as encryption context, and stores both as one object. The private key has then never
 * been outside of an enclave.
 *
 * @throws {AcmError} `ERR_ACM_REQUEST` for a certificate of another key; `ERR_ACM_CERTIFICATE`, `ERR_ACM_CERTIFICATE_USAGE`,
 * `ERR_ACM_PATH`, `ERR_ACM_EXPIRED`, `ERR_ACM_NOT_YET_VALID`, `ERR_ACM_NAME`; `ERR_ACM_DENIED`, `ERR_ACM_KMS`,
 * `ERR_ACM_CREDENTIALS`, `ERR_ACM_OBJECT_DENIED`, `ERR_ACM_STORE`
 */
declare function publishCertificate(request: CertificateRequest, issued: IssuedCertificate, options: PublishOptions): Promise<PublishedBundle>;

/** Options of {@link importExportableCertificate}. Unknown names are refused. */
interface ImportOptions extends AttestedWay, PublishOptions {
    /** A certificate of a private CA, or a public one that was requested as exportable. */
    readonly certificateArn: string;
}
/**
 * Takes certificate and private key out of ACM (`ExportCertificate`) and stores them as an own bundle.
 *
 * **The key is not the enclave's alone.** ACM made it and keeps it, and whoever has `acm:ExportCertificate` for this certificate has
 * it too: an administrator, and where the credentials are those of the instance's role, as they are by default, the
 * parent. Nothing attests an export. Where the key must never have been outside, use {@link createCertificateRequest} and
 * {@link publishCertificate}. The ARN of the certificate is the bundle's, unless `arn` says another; after each renewal in ACM it
 * must be imported again.
 *
 * @throws {AcmServiceError} `ERR_ACM_SERVICE`: not exportable, not there, not allowed
 * @throws {AcmError} `ERR_ACM_KEY_KIND` for a key that would not be served
 * @throws {AcmError} as {@link publishCertificate}
 * @see https://docs.aws.amazon.com/acm/latest/APIReference/API_ExportCertificate.html
 */
declare function importExportableCertificate(options: ImportOptions): Promise<PublishedBundle>;

/** What `SNICallback` of a TLS server is. */
type SniCallback = (servername: string, callback: (error: Error | null, context?: SecureContext) => void) => void;
/**
 * For servers with several certificates: the first of them that is for the name that a client asks for, as it is now. A client that
 * asks for another name, or for none, gets the server's own: what is attached to it, or nothing.
 *
 * A TLS 1.2 session that is resumed goes on with the certificate of its first handshake until the server's ticket keys change; they do
 * when a certificate that is attached to the server is renewed.
 *
 * @example
 * ```ts
 * import { createServer } from 'node:https'
 * import { sniCallback, type AcmCertificate } from '@enclavejs/acm-enclave'
 *
 * async function serve(first: AcmCertificate, second: AcmCertificate): Promise<void> {
 *   const server = createServer({ SNICallback: sniCallback([first, second]) })
 *   await first.attach(server)
 * }
 * ```
 */
declare function sniCallback(certificates: readonly AcmCertificate[]): SniCallback;

/** Options of {@link fromAssociatedCertificate}. Unknown names are refused. */
interface AssociatedCertificateOptions extends AttestedWay {
    /** The certificate in ACM. */
    readonly certificateArn: string;
    /** The role that it is associated with, and whose credentials call. */
    readonly roleArn: string;
    /** `EncryptionKmsKeyId`, as the association's answer and `enclavejs acm status` say it: an id or a full ARN. */
    readonly encryptionKmsKeyId: string;
    /** `CertificateS3BucketName`. Default: `PARTITION-ec2-enclave-certificate-REGION-prod`, AWS's name at present. */
    readonly bucket?: string;
    /** The account that must own the bucket. It is AWS's own, which AWS does not publish. Default: not asked for. */
    readonly expectedBucketOwner?: string;
}
/**
 * The bundle that AWS makes in a bucket of its own when a certificate is associated with a role
 * (`AssociateEnclaveCertificateIamRole`), and renews.
 *
 * **Probably AWS's own enclave image alone can decrypt its private key**: the KMS key is AWS's, with a policy by attestation that
 * nobody outside of AWS can put PCRs into. KMS then refuses, and loading fails with `ERR_ACM_ASSOCIATED_KEY`. Use
 * {@link fromBundleObject} wherever the image is your own.
 *
 * @throws {TypeError} naming the option
 * @see https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateEnclaveCertificateIamRole.html
 */
declare function fromAssociatedCertificate(options: AssociatedCertificateOptions): CertificateSource;

/** Options of {@link fromBytes}. Unknown names are refused. */
interface BytesOptions extends AttestedWay {
    /**
     * Gives the bundle as the parent handed it in: over vsock, out of a message. It is untrusted and is asked for at each poll; what is
     * the same as before costs nothing further.
     */
    readonly read: (options: {
        readonly signal: AbortSignal;
    }) => Promise<Uint8Array>;
    /** The full ARN of the own KMS key. */
    readonly keyArn: string;
    /** The ARN that the private key was published under. */
    readonly arn: string;
    /** Milliseconds that `read` may take. Default 10000. */
    readonly readTimeout?: number;
}
/**
 * An own bundle whose bytes the parent brings, where the enclave is to have no way to S3. The parent can withhold renewals and
 * replay old bundles from before this boot; it cannot make one, nor read the private key.
 *
 * @throws {TypeError} naming the option
 */
declare function fromBytes(options: BytesOptions): CertificateSource;

export { AcmCertificate, AcmErrorCode, CertificateRequest, CertificateSource, acceptProxied, associateCertificate, associatedRoleStatements, claimedAddressOf, createCertificateRequest, disassociateCertificate, fromAssociatedCertificate, fromBundleObject, fromBytes, getAssociatedRoles, importExportableCertificate, ownRoleStatements, publishCertificate, sniCallback };
export type { AcmCertificateEvent, AssociatedCertificateOptions, AssociationOptions, AttestedWay, AwsWay, BundleLocation, BundleObjectOptions, BytesOptions, CertificateAssociation, CertificateRequestOptions, ClaimedClient, ImportOptions, IssuedCertificate, PolicyStatement, PublishOptions, PublishedBundle, RequestKeyAlgorithm, SniCallback };

// token.d.ts

import { AcmCertificate } from './index.js';
export { d as AcmError, A as AcmErrorCode } from './error.js';
import { Duplex } from 'node:stream';
import { KeyObject } from 'node:crypto';
import 'node:tls';

type HashName = 'sha256' | 'sha384' | 'sha512';
/** What is signed: always a digest, so that no caller has the raw RSA operation. */
interface SignInput {
    readonly scheme: 'pkcs1' | 'pss' | 'ecdsa';
    readonly hash: HashName;
    readonly digest: Uint8Array;
}
/** A private key that signs digests; where it lies, only its maker knows. */
interface SigningKey {
    readonly type: 'rsa' | 'ec';
    /** Bytes of each signature: of ECDSA r and s, each as long as the order of the group. */
    readonly signatureLength: number;
    /** @throws {CryptokiError} */
    sign(input: SignInput): Promise<Uint8Array>;
    /** Forgets the key. Signatures under way still come. */
    release(): void;
}

type AttributeValue = number | Uint8Array | readonly Attribute[] | readonly number[];
/** One CK_ATTRIBUTE. Without a value: ulValueLen is CK_UNAVAILABLE_INFORMATION. */
interface Attribute {
    readonly type: number;
    readonly value: AttributeValue | undefined;
    /** ulValueLen, as the caller counts it. */
    readonly length: number;
}

/** An object of a token, without a handle yet. */
interface ObjectTemplate {
    readonly attributes: ReadonlyMap<number, AttributeValue>;
    /** Signs; of a private key. */
    readonly key?: SigningKey | undefined;
}
/** An object of a token. */
interface TokenObject extends ObjectTemplate {
    /** Never given to another object, in this token's life. */
    readonly handle: number;
    /** Of a private key that another has replaced: ends it, as C_DestroyObject asks. */
    readonly destroy?: (() => void) | undefined;
}

/** An enclave with a token, as a relay reaches it. */
interface EnclaveAddress {
    /** Opens a stream to the token: `connect` of `@enclavejs/vsock` with the enclave's CID and port, for instance. */
    readonly connect: (options: {
        readonly signal: AbortSignal;
    }) => Promise<Duplex> | Duplex;
    /** The PIN of the token in the enclave. */
    readonly pin: string;
}

/**
 * The PIN of a token. Compared in constant time, and no more often wrongly than {@link PIN_FAILURES} at once and then
 * once a minute, whoever asks on whatever connection. While none is left the right PIN is refused too, so that a lock
 * answers no question. A right PIN gives no attempts back: whoever guesses could wait for others to log in.
 */
declare class Pin {
    #private;
    /** @param now milliseconds of a clock that only goes forward */
    constructor(pin: string, now?: () => number);
    /** How many wrong PINs would be taken now. */
    get attemptsLeft(): number;
    /** @throws {CryptokiError} CKR_PIN_INCORRECT, CKR_PIN_LOCKED */
    verify(pin: Uint8Array): void;
}

/** How a token describes itself. */
interface TokenLabels {
    readonly label: string;
    readonly manufacturer: string;
    readonly model: string;
    readonly serialNumber: string;
}
/** What the connections of one token have in common. */
declare class TokenStore {
    #private;
    readonly labels: TokenLabels;
    readonly pin: Pin;
    /** Asked for room when all sessions are taken: has a client that did not log in give its own back. False when there is none. */
    relieve: () => boolean;
    constructor(labels: TokenLabels, pin: Pin, maxSessions?: number);
    get sessions(): number;
    get maxSessions(): number;
    /** @returns the handles, in the order of the objects */
    add(objects: readonly ObjectTemplate[]): readonly number[];
    /** Lets clients end an object (C_DestroyObject), and tells them so (CKA_DESTROYABLE). */
    allowDestroy(handle: number, destroy: () => void): void;
    /** Undoes {@link TokenStore.allowDestroy}. */
    forbidDestroy(handle: number): void;
    remove(handles: readonly number[]): void;
    get(handle: number): TokenObject | undefined;
    objects(): Iterable<TokenObject>;
    /**
     * @param first whether it is the client's only one, without which it cannot log in: strangers do not keep it out
     * @throws {CryptokiError} CKR_SESSION_COUNT
     */
    openSession(first: boolean): number;
    closeSession(): void;
}

/** Limits of one connection, in milliseconds. */
interface ConnectionTimes {
    /** From the connection to the end of C_Initialize. */
    readonly handshake: number;
    /** From the first byte of a frame to its last, and from an answer to when the client has taken it. */
    readonly transfer: number;
}

/** What has connections: a `Server` of node:net, a `VsockServer`. */
interface ConnectionSource {
    on(event: 'connection', listener: (stream: Duplex) => void): unknown;
    off(event: 'connection', listener: (stream: Duplex) => void): unknown;
}
/** The connections of one token. */
declare class TokenDoor {
    #private;
    constructor(store: TokenStore, maxConnections: number, times?: ConnectionTimes);
    get connections(): number;
    /** Whether a connection is open that has begun to sign with a key. */
    isUsed(handle: number): boolean;
    checkOpen(): void;
    serve(stream: Duplex): void;
    listen(source: ConnectionSource): void;
    close(): void;
}

/** A key that a token serves. */
interface TokenKey {
    /**
     * `CKA_ID`, 1 to 64 bytes, by which web servers find the key: ACM for Nitro Enclaves has `Uint8Array.of(1)`. Each key
     * has its own, and a renewed key a new one: a server that was not reloaded yet goes on with the old one.
     */
    readonly id: Uint8Array;
    /** `CKA_LABEL`, 1 to 64 bytes of UTF-8; ACM for Nitro Enclaves has `acm-key`. */
    readonly label: string;
    /** RSA of 2048 to 8192 bits, P-256, P-384 or P-521: a `KeyObject`, or unencrypted PEM or DER. Copied, not kept. */
    readonly privateKey: KeyObject | Uint8Array | string;
    /** The certificate of this key, PEM or DER. */
    readonly certificate: Uint8Array | string;
    /** The certificates of its issuers, in their order, PEM or DER. Default: none. At most 10. */
    readonly path?: readonly (Uint8Array | string)[] | undefined;
}

/** How a token presents itself, and what it takes. */
interface TokenDescription {
    /** `CKA_LABEL` of the token, 1 to 32 bytes of UTF-8: `token=` in a PKCS #11 URI. */
    readonly label: string;
    /**
     * What a client logs in with: 4 to 64 bytes of UTF-8. 16 random bytes as hex are a good one. It keeps out other users
     * of the parent who reach the socket; it does not keep out the parent, which has to know it.
     */
    readonly pin: string;
    /** `manufacturer=` in a PKCS #11 URI, up to 32 bytes. Default `enclavejs`; ACM for Nitro Enclaves has `Amazon`. */
    readonly manufacturer?: string | undefined;
    /** `model=` in a PKCS #11 URI, up to 16 bytes. Default `acm-token`; ACM for Nitro Enclaves has `p11ne-token`. */
    readonly model?: string | undefined;
    /** `serial=` in a PKCS #11 URI, up to 16 bytes. Default `1`. */
    readonly serialNumber?: string | undefined;
    /** Connections at a time; more are closed at once. A web server has one for each worker and one for its master. Default 256, at most 4096. */
    readonly maxConnections?: number | undefined;
    /**
     * Sessions at a time, over all connections. Default 1024, at most 65536. One connection has 16 of them at most before its
     * login, and 128 after it. When none is left, a connection without a login gives way to a new one.
     */
    readonly maxSessions?: number | undefined;
}

/** Options of {@link createToken}. */
interface TokenOptions extends TokenDescription {
    /** Its keys; more can be added, and each removed. */
    readonly keys: readonly TokenKey[];
}
/**
 * A PKCS #11 token whose keys lie in this process and which others use through p11-kit's remote protocol: made by
 * {@link createToken}.
 */
declare class AcmToken {
    #private;
    /** @internal */
    constructor(store: TokenStore, door: TokenDoor);
    /** `CKA_ID` of each key. */
    get ids(): readonly Uint8Array[];
    /** Connections that are open. */
    get connections(): number;
    /** Sessions that are open, over all connections. */
    get sessions(): number;
    /**
     * Adds a key. Clients see it when they look again; what they hold goes on working.
     *
     * @throws {AcmError} `ERR_ACM_TOKEN_ID` when a key has this id, `ERR_ACM_TOKEN_KEY`, `ERR_ACM_TOKEN_CERTIFICATE`,
     *   `ERR_ACM_KEY_FORM`, `ERR_ACM_KEY_KIND`, `ERR_ACM_TOKEN_BINDING`, `ERR_ACM_TOKEN_CLOSED`
     */
    addKey(key: TokenKey): void;
    /**
     * Removes a key: its memory is zeroed when the signatures under way are made, and clients that still hold it are
     * refused (`CKR_KEY_HANDLE_INVALID`).
     *
     * @throws {AcmError} `ERR_ACM_TOKEN_ID`
     */
    removeKey(id: Uint8Array): void;
    /**
     * Says that another key has replaced this one. It goes on signing; from now on a client that has logged in may remove it
     * (C_DestroyObject; `CKA_DESTROYABLE` says so), as `enclavejs acm agent` does when the web server's last worker that used it
     * has ended.
     *
     * @throws {AcmError} `ERR_ACM_TOKEN_ID`
     */
    retireKey(id: Uint8Array): void;
    /**
     * Says that a retired key is in use again: clients may not remove it any more, and what they hold of it goes on working.
     *
     * @throws {AcmError} `ERR_ACM_TOKEN_ID`
     */
    reinstateKey(id: Uint8Array): void;
    /**
     * Whether a connection is open that has begun to sign with a key, or a relay's that knows of its retirement, and so will
     * remove it when its own clients do not need it any more.
     *
     * @throws {AcmError} `ERR_ACM_TOKEN_ID`
     */
    isInUse(id: Uint8Array): boolean;
    /** Serves one client on a stream. The token ends the stream: when the client breaks the protocol, stalls, or is one too many. */
    serve(stream: Duplex): void;
    /**
     * Serves every connection of a server, of node:net or of `@enclavejs/vsock`. Closing the server is the caller's.
     *
     * @throws {AcmError} `ERR_ACM_TOKEN_CLOSED`
     */
    listen(server: ConnectionSource): void;
    /** Ends all connections and forgets all keys. Any number of times. */
    close(): void;
    [Symbol.dispose](): void;
}
/**
 * Makes a PKCS #11 token over keys of this process: NGINX, Apache and whatever else uses OpenSSL's PKCS #11 engine or
 * provider on the parent sign with them through p11-kit (0.24 to 0.26), and never have them.
 *
 * A client may sign what TLS signs: a digest of SHA-256, SHA-384 or SHA-512, with RSA PKCS #1 v1.5, RSA-PSS or ECDSA. It
 * cannot decrypt, sign other bytes, read a private value, or change anything. Signing runs in OpenSSL's constant-time code
 * on libuv's threads. What this does not give: whoever reaches the socket and knows the PIN, and so always the parent, can
 * have any handshake signed for as long as the token runs.
 *
 * Wrong PINs: ten at once and then one a minute, over all connections; meanwhile the right one is refused as well.
 *
 * @throws {TypeError | RangeError} for options of the wrong form
 * @throws {AcmError} what {@link AcmToken.addKey} throws
 *
 * @example
 * ```ts
 * import { createServer } from 'node:net'
 * import { createToken, type TokenKey } from '@enclavejs/acm-enclave/token'
 *
 * export function serveToken(key: TokenKey, pin: string): void {
 *   const token = createToken({ label: 'acm-token', pin, keys: [key] })
 *   const server = createServer()
 *   token.listen(server)
 *   server.listen('/run/enclavejs/token.sock')
 * }
 * ```
 */
declare function createToken(options: TokenOptions): AcmToken;

/** Options of {@link followCertificate}. */
interface FollowOptions {
    /** `CKA_LABEL` of its keys. Default `acm-key`, as in ACM for Nitro Enclaves. */
    readonly label?: string | undefined;
    /**
     * Milliseconds that the key before stays after a renewal where nobody can tell whether it is needed: no connection is open
     * that has signed with it, nor a relay's. While one is, it stays: until the relay says that no worker needs it
     * (`AcmTokenRelay.removeRetired`), or the last such connection has ended. Default 3600000; at most a week.
     */
    readonly keepOldMs?: number | undefined;
}
/**
 * `CKA_ID` of the key of a certificate that a token follows: the first eight bytes of the certificate's SHA-256. New with each
 * renewal, and the same after a restart and in each enclave that has the certificate.
 */
declare function certificateId(certificate: string | Uint8Array): Uint8Array;
/**
 * Has a token serve the key of a certificate that renews itself: now, and after each renewal the new one under a new
 * {@link certificateId}, beside the old one for a while. Costs one attested Decrypt, as attaching a server does. It ends when
 * the certificate or the token is closed.
 *
 * A certificate that has ended, or is stale, is not taken out of the token: clients see its dates.
 *
 * @throws {AcmError} what loading the certificate throws
 *
 * @example
 * ```ts
 * import type { AcmCertificate } from '@enclavejs/acm-enclave'
 * import { createToken, followCertificate } from '@enclavejs/acm-enclave/token'
 *
 * export async function serve(certificate: AcmCertificate, pin: string): Promise<void> {
 *   const token = createToken({ label: 'acm-token', pin, keys: [] })
 *   await followCertificate(token, certificate)
 * }
 * ```
 */
declare function followCertificate(token: AcmToken, certificate: AcmCertificate, options?: FollowOptions): Promise<void>;

/** A key that a token shows, with what a web server's configuration says of it. */
interface ShownKey {
    /** `CKA_ID` */
    readonly id: Uint8Array;
    /** `CKA_LABEL` */
    readonly label: string;
    /** The certificate and those of its issuers, as far as the token has them: PEM, for `ssl_certificate`. */
    readonly certificate: string;
    readonly notBefore: Date;
    readonly notAfter: Date;
}

/** Options of {@link createTokenRelay}. */
interface TokenRelayOptions extends TokenDescription {
    /** The enclaves behind the token, 1 to 16. Those that have the same key share its signatures. */
    readonly enclaves: readonly EnclaveAddress[];
    /** Milliseconds that a signature waits for an enclave that is away, for its restart for instance. Default 10000, at most 60000. */
    readonly signTimeout?: number | undefined;
}
/** A key that another has replaced. */
interface RetiredKey {
    /** `CKA_ID` */
    readonly id: Uint8Array;
    /** Whether a client that has signed with it is connected: a worker from before the reload. */
    readonly inUse: boolean;
}
/** A token on the parent whose keys lie in enclaves: made by {@link createTokenRelay}. */
declare class AcmTokenRelay {
    #private;
    /** @internal */
    constructor(store: TokenStore, door: TokenDoor, enclaves: readonly EnclaveAddress[], signTimeout: number);
    /** Connections that are open. */
    get connections(): number;
    /** `CKA_ID` of each key that an enclave has. */
    get ids(): readonly Uint8Array[];
    /** The keys that an enclave has with a certificate, newest certificate first. */
    get keys(): readonly ShownKey[];
    /**
     * Asks every enclave what its token has: keys that came are shown, those that no enclave has any more are not. Call it
     * once before a web server starts, and after a key was added or removed. An enclave that is away keeps what it had.
     *
     * @throws {AcmError} when no enclave answers: `ERR_ACM_TOKEN_ENCLAVE`, `ERR_ACM_TOKEN_PIN`, `ERR_ACM_TOKEN_CLOSED`; or none of
     *   them has at most 1024 objects: `ERR_ACM_TOKEN_OBJECTS`
     */
    refresh(): Promise<void>;
    /** `CKA_ID` of each key that another has replaced, and whether a client that has signed with it is still connected. */
    get retired(): readonly RetiredKey[];
    /**
     * Has the enclaves remove a retired key. Clients that still hold it are refused from then on: look at `inUse` before, and
     * give a web server that was reloaded as long as a handshake may take.
     *
     * @throws {AcmError} where an enclave is away or refuses: `ERR_ACM_TOKEN_ENCLAVE`, `ERR_ACM_TOKEN_PIN`, `ERR_ACM_TOKEN_CLOSED`;
     *   `ERR_ACM_TOKEN_ID` for a key that is not retired
     */
    removeRetired(id: Uint8Array): Promise<void>;
    /** Serves one client, as a token does. */
    serve(stream: Duplex): void;
    /** Serves every connection of a server. @throws {AcmError} `ERR_ACM_TOKEN_CLOSED` */
    listen(server: ConnectionSource): void;
    /** Ends all connections, to clients and to enclaves. Any number of times. */
    close(): void;
    [Symbol.dispose](): void;
}
/**
 * Makes the parent's half of a token: it owns what clients connect to, answers slots, attributes and searches itself, and
 * asks an enclave for signatures only, one round trip each. A stock p11-kit client never connects again when its server
 * went away; this one stays, and connects to the enclave again. Several enclaves can stand behind it.
 *
 * It checks the PIN of its clients itself, and logs in to the enclave with the enclave's PIN. It learns nothing secret,
 * and can have whatever signed that the enclave's token signs.
 *
 * @throws {TypeError | RangeError} for options of the wrong form
 *
 * @example
 * ```ts
 * import { connect, createServer } from 'node:net'
 * import { createTokenRelay } from '@enclavejs/acm-enclave/token'
 *
 * export async function relay(pin: string): Promise<void> {
 *   const enclave = { connect: () => connect('/run/enclavejs/enclave.sock'), pin }
 *   const relay = createTokenRelay({ label: 'acm-token', pin, enclaves: [enclave] })
 *   await relay.refresh()
 *   const server = createServer()
 *   relay.listen(server)
 *   server.listen('/run/enclavejs/token.sock')
 * }
 * ```
 */
declare function createTokenRelay(options: TokenRelayOptions): AcmTokenRelay;

/** What a PKCS #11 URI (RFC 7512) says of a private key in a token. */
interface TokenUriParts {
    readonly label: string;
    readonly model?: string | undefined;
    readonly manufacturer?: string | undefined;
    /** `CKA_ID` of the key. */
    readonly id: Uint8Array;
    /** `CKA_LABEL` of the key. */
    readonly object: string;
    readonly pin?: string | undefined;
}
/**
 * The URI of a private key, in the order that ACM for Nitro Enclaves has: `pkcs11:model=…;manufacturer=…;token=…;id=…;
 * object=…;type=private?pin-value=…`.
 */
declare function tokenUri(parts: TokenUriParts): string;
/** A p11-kit module file: `/etc/pkcs11/modules/NAME.module`. */
declare function moduleFile(socket: string, name: string): string;
/**
 * A key file for OpenSSL's provider (pkcs11-provider): PEM with the URI in it. Whatever reads a key from a file finds the one in
 * the token by it, where OpenSSL's configuration loads the provider; engines are gone in OpenSSL 4. As secret as the URI's PIN.
 */
declare function providerKeyFile(uri: string): string;
/**
 * NGINX's two lines for a key in a token, as ACM for Nitro Enclaves writes them.
 *
 * @param key the URI, which OpenSSL's engine reads; or the path of a {@link providerKeyFile}
 */
declare function nginxStanza(key: string, certificate: string): string;
/**
 * Apache's configuration with its `SSLCertificateKeyFile` and `SSLCertificateFile` replaced, where lines begin with them.
 *
 * @param key as for {@link nginxStanza}
 */
declare function apacheStanza(configuration: string, key: string, certificate: string): string;

export { AcmToken, AcmTokenRelay, apacheStanza, certificateId, createToken, createTokenRelay, followCertificate, moduleFile, nginxStanza, providerKeyFile, tokenUri };
export type { ConnectionSource, EnclaveAddress, FollowOptions, RetiredKey, ShownKey, TokenDescription, TokenKey, TokenOptions, TokenRelayOptions, TokenUriParts };
