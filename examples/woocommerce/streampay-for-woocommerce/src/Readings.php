<?php
/**
 * Readings of payments and their refunds.
 *
 * @package StreamPay\WooCommerce
 */

declare(strict_types=1);

namespace StreamPay\WooCommerce;

/** Reads at the gateway, and refuses what has not the shape that decisions are made of. */
final class Readings {

	private const TEXTS = array( 'id', 'session', 'status', 'refunds', 'dispute', 'amount', 'currency', 'reference' );

	/** Read with a client. */
	public function __construct( private Api $api ) {}

	/**
	 * Read a payment.
	 *
	 * @param string $id The payment.
	 * @return array<string, mixed>
	 * @throws Api_Error It cannot be read now.
	 */
	public function payment( string $id ): array {
		return self::checked( $this->api->get( '/v1/payments/' . rawurlencode( $id ) )->body );
	}

	/**
	 * Read what went back of a payment, when anything did.
	 *
	 * @param array<string, mixed> $payment A reading.
	 * @return list<array<string, mixed>> Oldest first.
	 * @throws Api_Error It cannot be read now.
	 */
	public function refunds( array $payment ): array {
		if ( 'none' === $payment['refunds'] ) {
			return array();
		}
		$found = $this->api->get( '/v1/refunds', array( 'payment' => $payment['id'], 'limit' => '100' ) )->body['data'] ?? null;
		foreach ( is_array( $found ) ? $found : array( null ) as $refund ) {
			foreach ( array( 'id', 'status', 'amount', 'currency', 'updated_at' ) as $name ) {
				if ( ! is_string( $refund[ $name ] ?? null ) ) {
					throw new Api_Error( 200, 'answer_malformed', "A refund has no $name." );
				}
			}
		}
		return array_reverse( $found );
	}

	/**
	 * Return a payment whose fields have the types that everything after relies on.
	 *
	 * @param array<string, mixed> $payment Of an answer, or of a verified event.
	 * @return array<string, mixed>
	 * @throws Api_Error A field is missing.
	 */
	public static function checked( array $payment ): array {
		foreach ( self::TEXTS as $name ) {
			if ( ! is_string( $payment[ $name ] ?? null ) ) {
				throw new Api_Error( 200, 'answer_malformed', "The payment has no $name." );
			}
		}
		if ( ! is_int( $payment['version'] ?? null ) || ! is_bool( $payment['livemode'] ?? null ) || ! is_array( $payment['exceptions'] ?? null ) ) {
			throw new Api_Error( 200, 'answer_malformed', 'The payment has no version, livemode or exceptions.' );
		}
		return $payment;
	}
}
