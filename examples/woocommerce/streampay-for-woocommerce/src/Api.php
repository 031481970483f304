<?php
/**
 * Calls to the gateway.
 *
 * @package StreamPay\WooCommerce
 */

declare(strict_types=1);

namespace StreamPay\WooCommerce;

/** A client over WordPress's own HTTP functions: proxies and certificates are those of the site. */
final class Api {

	private const MAX_ANSWER_BYTES = 2 << 20;
	private const MAX_PAUSE_S      = 2; // A shopper or an administrator waits.

	/**
	 * Say where, as whom, and how patiently.
	 *
	 * @param string $base_url  The gateway, without a path.
	 * @param string $key       `sk_test_…` or `sk_live_…`.
	 * @param int    $timeout_s Of one try.
	 * @param int    $tries     Of one request, all under the same idempotency key.
	 */
	public function __construct( private string $base_url, private string $key, private int $timeout_s = 15, private int $tries = 2 ) {}

	/** Return a client as the merchant has set it up. */
	public static function from( Settings $settings ): self {
		return new self( $settings->base_url(), $settings->api_key() );
	}

	/** Return a client for a page that a person waits for: one short try. */
	public function quick(): self {
		return new self( $this->base_url, $this->key, 4, 1 );
	}

	/**
	 * Read an object.
	 *
	 * @param string                $path  Begins with /v1/.
	 * @param array<string, string> $query Filters.
	 * @throws Api_Error It did not answer with a success.
	 */
	public function get( string $path, array $query = array() ): Api_Answer {
		$suffix = array() === $query ? '' : '?' . http_build_query( $query, '', '&', PHP_QUERY_RFC3986 );
		return $this->send( 'GET', $path . $suffix, null, '' );
	}

	/**
	 * Have something done, once for each idempotency key.
	 *
	 * @param string               $path            Begins with /v1/.
	 * @param array<string, mixed> $body            Fields.
	 * @param string               $idempotency_key The name of the intent; the same after a time-out.
	 * @throws Api_Error It did not answer with a success.
	 */
	public function post( string $path, array $body, string $idempotency_key ): Api_Answer {
		$json = wp_json_encode( (object) $body );
		if ( ! is_string( $json ) ) {
			throw new Api_Error( 400, 'request_not_json', 'A field of the request is not UTF-8.' );
		}
		return $this->send( 'POST', $path, $json, $idempotency_key );
	}

	private function send( string $method, string $path, ?string $json, string $idempotency_key ): Api_Answer {
		for ( $try = 1; ; $try++ ) {
			$response = $this->request( $method, $path, $json, $idempotency_key );
			$error    = is_wp_error( $response )
				? new Api_Error( 0, 'connection_failed', $response->get_error_message(), true )
				: self::problem( $response );
			if ( null === $error ) {
				return self::answer( $response );
			}
			if ( ! $error->is_retryable || $try >= $this->tries ) {
				throw $error;
			}
			$wait_s = is_wp_error( $response ) ? 0 : (int) wp_remote_retrieve_header( $response, 'retry-after' );
			usleep( 1000 * random_int( 100, 400 ) + 1_000_000 * min( self::MAX_PAUSE_S, max( 0, $wait_s ) ) );
		}
	}

	/** @return array<string, mixed>|\WP_Error */
	private function request( string $method, string $path, ?string $json, string $idempotency_key ): mixed {
		$headers = array(
			'Authorization' => 'Bearer ' . $this->key,
			'Accept'        => 'application/json',
		);
		if ( null !== $json ) {
			$headers['Content-Type']    = 'application/json';
			$headers['Idempotency-Key'] = $idempotency_key;
		}
		return wp_remote_request(
			$this->base_url . $path,
			array(
				'method'              => $method,
				'headers'             => $headers,
				'body'                => $json,
				'timeout'             => $this->timeout_s,
				'redirection'         => 0, // The key goes to the merchant's gateway and nowhere else.
				'limit_response_size' => self::MAX_ANSWER_BYTES,
				'user-agent'          => 'streampay-for-woocommerce/' . VERSION,
			)
		);
	}

	/** @param array<string, mixed> $response Of WordPress. */
	private static function problem( array $response ): ?Api_Error {
		$status = (int) wp_remote_retrieve_response_code( $response );
		if ( $status >= 200 && $status < 300 ) {
			return null;
		}
		$said   = json_decode( (string) wp_remote_retrieve_body( $response ), true );
		$said   = is_array( $said ) ? $said : array();
		$errors = is_array( $said['errors'] ?? null ) ? $said['errors'] : array();
		return new Api_Error(
			$status,
			self::text( $said, 'code', "http_$status" ),
			self::text( $said, 'detail', "The gateway answered with HTTP $status and without an explanation: is the URL right?" ),
			is_bool( $said['retryable'] ?? null ) ? $said['retryable'] : 429 === $status || $status >= 500,
			self::text( $said, 'request_id', '' ),
			array_values( array_filter( array_column( $errors, 'param' ), 'is_string' ) )
		);
	}

	/** @param array<string, mixed> $response Of WordPress. */
	private static function answer( array $response ): Api_Answer {
		$body = json_decode( (string) wp_remote_retrieve_body( $response ), true, 64 );
		if ( ! is_array( $body ) ) {
			throw new Api_Error( 0, 'answer_malformed', 'The answer is not JSON: is this the address of a StreamPay gateway?' );
		}
		$is_replayed = 'true' === (string) wp_remote_retrieve_header( $response, 'idempotent-replayed' );
		return new Api_Answer( $body, $is_replayed, (string) wp_remote_retrieve_header( $response, 'date' ) );
	}

	/** @param array<string, mixed> $said A problem document. */
	private static function text( array $said, string $name, string $otherwise ): string {
		return is_string( $said[ $name ] ?? null ) ? wp_strip_all_tags( $said[ $name ] ) : $otherwise;
	}
}
