<?php
/**
 * The log of WooCommerce (Status, Logs, source "streampay"): ids and codes, never keys, bodies or addresses of people.
 *
 * @package StreamPay\WooCommerce
 */

declare(strict_types=1);

namespace StreamPay\WooCommerce;

/** Events with facts. */
final class Log {

	/**
	 * Note something that somebody should look at.
	 *
	 * @param string                          $event What happened.
	 * @param array<string, string|int|null>  $facts Ids and codes.
	 */
	public static function warning( string $event, array $facts = array() ): void {
		wc_get_logger()->warning( self::line( $event, $facts ), array( 'source' => 'streampay' ) );
	}

	/**
	 * Note the ordinary course of things, when the merchant has asked for it.
	 *
	 * @param string                          $event What happened.
	 * @param array<string, string|int|null>  $facts Ids and codes.
	 */
	public static function debug( string $event, array $facts = array() ): void {
		if ( Settings::load()->is_debugging() ) {
			wc_get_logger()->debug( self::line( $event, $facts ), array( 'source' => 'streampay' ) );
		}
	}

	/** @param array<string, string|int|null> $facts Ids and codes. */
	private static function line( string $event, array $facts ): string {
		foreach ( $facts as $name => $fact ) {
			$event .= " $name=" . preg_replace( '/[^ -~]+/', '?', substr( (string) $fact, 0, 300 ) );
		}
		return $event;
	}
}
