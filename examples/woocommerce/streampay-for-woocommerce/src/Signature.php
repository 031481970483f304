<?php
/**
 * Webhook signatures (Standard Webhooks v1, https://www.standardwebhooks.com).
 *
 * @package StreamPay\WooCommerce
 */

declare(strict_types=1);

namespace StreamPay\WooCommerce;

/** Decides whether the gateway sent these bytes just now. */
final class Signature {

	public const MAX_BODY_BYTES = 1 << 20; // Events are below 20 kB.
	public const TOLERANCE_S    = 300; // On both sides.
	private const MAX_SECRETS    = 8;
	private const MAX_SIGNATURES = 16; // A rotation needs two.
	private const ID         = '/\A[!-\-\/-~]{1,255}\z/'; // No dot: it separates the signed parts.
	private const TIMESTAMP  = '/\A[0-9]{1,12}\z/';
	private const SIGNATURES = '/\A[ -~]{1,4096}\z/';
	private const MAX_DEPTH  = 64;

	/** @var list<string> The bytes behind `whsec_`. */
	private array $keys;

	/**
	 * Take the endpoint's secrets: during a rotation the new one and the old one.
	 *
	 * @param list<string> $secrets Each `whsec_…`; malformed ones verify nothing.
	 */
	public function __construct( array $secrets ) {
		$keys       = array_map( array( self::class, 'key' ), array_slice( $secrets, 0, self::MAX_SECRETS ) );
		$this->keys = array_values( array_filter( $keys, 'is_string' ) );
	}

	/**
	 * Return the bytes behind a secret, or null when it is malformed.
	 *
	 * @param string $secret `whsec_` and base64 of 24 to 64 bytes.
	 */
	public static function key( string $secret ): ?string {
		if ( ! str_starts_with( $secret, 'whsec_' ) ) {
			return null;
		}
		$encoded = substr( $secret, 6 );
		$key     = base64_decode( $encoded, true );
		$is_good = is_string( $key ) && strlen( $key ) >= 24 && strlen( $key ) <= 64 && base64_encode( $key ) === $encoded;
		return $is_good ? $key : null;
	}

	/**
	 * Return the event that a request holds.
	 *
	 * @param string                $body    The raw bytes.
	 * @param array<string, string> $headers `webhook-id`, `webhook-timestamp` and `webhook-signature`.
	 * @param int                   $now_s   Unix time.
	 * @return array<string, mixed>
	 * @throws Signature_Error And nothing else, whatever comes in.
	 */
	public function verify( string $body, array $headers, int $now_s ): array {
		if ( strlen( $body ) > self::MAX_BODY_BYTES ) {
			throw new Signature_Error( 'body_too_large' );
		}
		$id        = $headers['webhook-id'] ?? '';
		$timestamp = $headers['webhook-timestamp'] ?? '';
		$given     = $headers['webhook-signature'] ?? '';
		if ( '' === $id || '' === $timestamp || '' === $given ) {
			throw new Signature_Error( 'headers_missing' );
		}
		if ( 1 !== preg_match( self::ID, $id ) || 1 !== preg_match( self::SIGNATURES, $given ) ) {
			throw new Signature_Error( 'headers_invalid' );
		}
		if ( 1 !== preg_match( self::TIMESTAMP, $timestamp ) ) {
			throw new Signature_Error( 'timestamp_invalid' );
		}
		if ( ! $this->matches( "$id.$timestamp.$body", $given ) ) {
			throw new Signature_Error( 'signature_mismatch' );
		}
		$behind_s = $now_s - (int) $timestamp;
		if ( abs( $behind_s ) > self::TOLERANCE_S ) {
			throw new Signature_Error( $behind_s < 0 ? 'timestamp_in_future' : 'timestamp_too_old' );
		}
		return self::event( $body );
	}

	/** Compare every key with every signature, without an early exit, in constant time. */
	private function matches( string $signed, string $given ): bool {
		$signatures = explode( ' ', $given );
		if ( count( $signatures ) > self::MAX_SIGNATURES ) {
			throw new Signature_Error( 'headers_invalid' );
		}
		$is_match = false;
		foreach ( $this->keys as $key ) {
			$expected = 'v1,' . base64_encode( hash_hmac( 'sha256', $signed, $key, true ) );
			foreach ( $signatures as $signature ) {
				$is_match = hash_equals( $expected, $signature ) || $is_match;
			}
		}
		return $is_match;
	}

	/** @return array<string, mixed> */
	private static function event( string $body ): array {
		$event = json_decode( $body, true, self::MAX_DEPTH );
		$is_event = is_array( $event ) && is_string( $event['id'] ?? null ) && is_string( $event['type'] ?? null )
			&& is_array( $event['data'] ?? null ) && is_array( $event['data']['object'] ?? null );
		if ( ! $is_event || 1 !== preg_match( '/\A[!-~]{1,255}\z/', $event['id'] ) ) {
			throw new Signature_Error( 'payload_invalid' );
		}
		return $event;
	}
}
