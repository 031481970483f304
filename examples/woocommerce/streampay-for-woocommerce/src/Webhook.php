<?php
/**
 * The door for the gateway's events: `/?wc-api=streampay`.
 *
 * @package StreamPay\WooCommerce
 */

declare(strict_types=1);

namespace StreamPay\WooCommerce;

use Throwable;

/**
 * Answers 2xx only to what was processed or is none of this shop's business; everything else is told again.
 *
 * A bad signature is a 400 (a 2xx there would lose paid orders unseen), an order that is not here yet a 404, an order that
 * somebody works on or a gateway that cannot be asked a 503, and what could not be stored a 500.
 */
final class Webhook {

	public const HEALTH        = 'streampay_webhook_health';
	private const QUIET_S      = 60; // Strangers who send rubbish do not write to the database each time.
	private const ABOUT_OTHERS = array( 'checkout.session.created' ); // We opened it ourselves.

	/** Work by the merchant's settings. */
	public function __construct( private Settings $settings ) {}

	/** Take the request that PHP has, answer it, and end. */
	public static function serve(): void {
		if ( 'POST' !== ( $_SERVER['REQUEST_METHOD'] ?? '' ) ) {
			header( 'Allow: POST' );
			self::say( 405, 'post_only' );
		}
		$headers = array();
		foreach ( array( 'webhook-id', 'webhook-timestamp', 'webhook-signature' ) as $name ) {
			$value            = $_SERVER[ 'HTTP_' . strtoupper( str_replace( '-', '_', $name ) ) ] ?? '';
			$headers[ $name ] = is_string( $value ) ? wp_unslash( $value ) : '';
		}
		$body = file_get_contents( 'php://input', false, null, 0, Signature::MAX_BODY_BYTES + 1 ); // The raw bytes: parsed and printed again they have another signature.
		self::say( ...( new self( Settings::load() ) )->answer( (string) $body, $headers, time() ) );
	}

	/**
	 * Process a request.
	 *
	 * @param string                $body    Its raw bytes.
	 * @param array<string, string> $headers The three of Standard Webhooks.
	 * @param int                   $now_s   Unix time.
	 * @return array{int, string} HTTP status, and a word for the gateway's log of deliveries.
	 */
	public function answer( string $body, array $headers, int $now_s ): array {
		try {
			$event = ( new Signature( $this->settings->secrets() ) )->verify( $body, $headers, $now_s );
		} catch ( Signature_Error $error ) {
			$this->note_failure( $error->getMessage(), $now_s );
			return array( 'body_too_large' === $error->getMessage() ? 413 : 400, $error->getMessage() );
		}
		try {
			$did = $this->process( $event, $now_s );
		} catch ( Unknown_Order_Error ) {
			return $this->refuse( $event, 404, 'unknown_order' );
		} catch ( Busy_Error $error ) {
			return $this->refuse( $event, 503, $error->getMessage() );
		} catch ( Api_Error $error ) {
			return $this->refuse( $event, $error->is_unknown() || $error->is_retryable ? 503 : 500, $error->word );
		} catch ( Throwable $error ) { // The door: whatever went wrong in here must be told again.
			Log::warning( 'webhook_crashed', array( 'type' => get_class( $error ), 'at' => basename( $error->getFile() ) . ':' . $error->getLine() ) );
			return $this->refuse( $event, 500, 'not_stored' );
		}
		return array( 200, $did );
	}

	/** @param array<string, mixed> $event Verified. */
	private function process( array $event, int $now_s ): string {
		$object = $event['data']['object'];
		if ( 'ping' === $event['type'] ) {
			$this->note_success( $event['id'], $now_s );
			return 'ping';
		}
		$payment = $this->payment_of( $event['type'], $object );
		if ( null === $payment ) {
			return 'not_ours';
		}
		$order_id = Reference::order_id( $payment['reference'] );
		if ( null === $order_id ) {
			return 'not_ours'; // Another shop's, on the same account.
		}
		$refunds = ( new Readings( Api::from( $this->settings ) ) )->refunds( $payment );
		$did     = ( new Orders( $this->settings ) )->apply( $order_id, $payment, $refunds, $event['id'] );
		$this->note_success( '', $now_s );
		return $did;
	}

	/**
	 * Return the payment that an event is about: as it was signed, or, told about by another object, as it is now.
	 *
	 * @param string               $type   The event's type.
	 * @param array<string, mixed> $object Its object.
	 * @return array<string, mixed>|null
	 */
	private function payment_of( string $type, array $object ): ?array {
		$is_other = 1 !== preg_match( '/\A(payment|refund|dispute|checkout\.session)\.[a-z_]+\z/', $type ) || in_array( $type, self::ABOUT_OTHERS, true );
		if ( $is_other ) {
			return null;
		}
		if ( str_starts_with( $type, 'payment.' ) ) {
			return Readings::checked( $object );
		}
		$id = $object['payment'] ?? null; // Null: a session that only saves a card.
		return is_string( $id ) ? ( new Readings( Api::from( $this->settings ) ) )->payment( $id ) : null;
	}

	/**
	 * Refuse, and say so in the log.
	 *
	 * @param array<string, mixed> $event  Verified.
	 * @param int                  $status HTTP status.
	 * @param string               $word   Why.
	 * @return array{int, string}
	 */
	private function refuse( array $event, int $status, string $word ): array {
		Log::warning( 'webhook_refused', array( 'event' => $event['id'], 'type' => $event['type'], 'status' => $status, 'code' => $word ) );
		return array( $status, $word );
	}

	private function note_failure( string $word, int $now_s ): void {
		$health = self::health();
		if ( $now_s - (int) ( $health['failed_at'] ?? 0 ) < self::QUIET_S ) {
			return;
		}
		Log::warning( 'webhook_refused', array( 'code' => $word ) );
		update_option( self::HEALTH, array( 'failed_at' => $now_s, 'failure' => $word ) + $health, false );
	}

	private function note_success( string $ping, int $now_s ): void {
		$health = self::health();
		if ( '' === $ping && $now_s - (int) ( $health['worked_at'] ?? 0 ) < self::QUIET_S ) {
			return;
		}
		update_option( self::HEALTH, array( 'worked_at' => $now_s, 'ping' => '' === $ping ? ( $health['ping'] ?? '' ) : $ping ) + $health, false );
	}

	/** @return array<string, int|string> When a webhook was last taken and refused, and why. */
	public static function health(): array {
		$health = get_option( self::HEALTH, array() );
		return is_array( $health ) ? $health : array();
	}

	private static function say( int $status, string $word ): void {
		status_header( $status );
		nocache_headers();
		header( 'Content-Type: text/plain; charset=utf-8' );
		if ( 503 === $status ) {
			header( 'Retry-After: 5' );
		}
		echo esc_html( $word );
		exit;
	}
}
