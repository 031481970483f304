<?php
/**
 * The name that an order has at the gateway: `wc-` + the site + the order's id.
 *
 * Two shops may share one account, and a copy of a shop has the same order ids: neither may pay the other's orders.
 *
 * @package StreamPay\WooCommerce
 */

declare(strict_types=1);

namespace StreamPay\WooCommerce;

/** Makes and reads references. */
final class Reference {

	private const FORM = '/\A(wc-[0-9a-f]{10})-([1-9][0-9]{0,15})\z/';

	/**
	 * Return the reference of an order of this site.
	 *
	 * @param int $order_id The order.
	 */
	public static function of( int $order_id ): string {
		return self::site() . '-' . $order_id;
	}

	/**
	 * Return the order that a reference names, if its order here says the same; null when the payment is another shop's.
	 *
	 * @param string $reference As the gateway knows it.
	 * @throws Unknown_Order_Error It is of this site, and there is no such order.
	 */
	public static function order_id( string $reference ): ?int {
		if ( 1 !== preg_match( self::FORM, $reference, $parts ) ) {
			return null;
		}
		$order = wc_get_order( (int) $parts[2] );
		// The order's own note comes first: a site that moved still knows the orders of its old address.
		if ( $order instanceof \WC_Order && $reference === $order->get_meta( Order_State::REFERENCE ) ) {
			return $order->get_id();
		}
		if ( self::site() === $parts[1] ) {
			throw new Unknown_Order_Error( $reference );
		}
		return null;
	}

	private static function site(): string {
		return 'wc-' . substr( hash( 'sha256', get_option( 'home' ) . '|' . get_current_blog_id() ), 0, 10 );
	}
}
