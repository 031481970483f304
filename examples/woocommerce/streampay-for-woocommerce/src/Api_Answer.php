<?php
/**
 * What the gateway answered.
 *
 * @package StreamPay\WooCommerce
 */

declare(strict_types=1);

namespace StreamPay\WooCommerce;

/** A success. */
final class Api_Answer {

	/**
	 * Keep the parts that anybody here asks for.
	 *
	 * @param array<string, mixed> $body        The object.
	 * @param bool                 $is_replayed It is the stored answer to an earlier request with the same key.
	 * @param string               $date        The `Date` header, for comparing clocks.
	 */
	public function __construct( public array $body, public bool $is_replayed = false, public string $date = '' ) {}

	/**
	 * Return a field that must be text.
	 *
	 * @param string $name Its name.
	 * @throws Api_Error The gateway speaks another language than we do.
	 */
	public function text( string $name ): string {
		$value = $this->body[ $name ] ?? null;
		if ( ! is_string( $value ) ) {
			throw new Api_Error( 200, 'answer_malformed', "The gateway's answer has no $name." );
		}
		return $value;
	}
}
