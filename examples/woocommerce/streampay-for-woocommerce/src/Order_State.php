<?php
/**
 * What the plugin has written on an order, and the order's facts that decide about it.
 *
 * @package StreamPay\WooCommerce
 */

declare(strict_types=1);

namespace StreamPay\WooCommerce;

use WC_Order;

/** An order as the reducer sees it. Read under the order's lock. */
final class Order_State {

	public const REFERENCE = '_streampay_reference';
	public const MODE      = '_streampay_mode';
	public const TRIES     = '_streampay_try';
	public const SESSION   = '_streampay_session';
	public const URL       = '_streampay_url';
	public const PAYMENTS  = '_streampay_payments'; // Every payment that was opened for the order, newest last.
	public const PAID_BY   = '_streampay_paid_by';
	public const HELD_BY   = '_streampay_held_by'; // The payment for which the order waits on hold.
	public const REVIEW    = '_streampay_review'; // Why a person has to look at it.
	public const EVENTS    = '_streampay_events';
	public const VERSIONS  = '_streampay_versions';
	public const NOTED     = '_streampay_noted';
	public const REFUNDS   = '_streampay_refunds';

	/** Wrap an order. */
	public function __construct( private WC_Order $order ) {}

	/** Return the order. */
	public function order(): WC_Order {
		return $this->order;
	}

	/** Return WooCommerce's word for the order's status. */
	public function status(): string {
		return (string) $this->order->get_status();
	}

	/** Tell whether the order counts as paid, by whomever: such an order is left by a refund alone. */
	public function is_paid(): bool {
		return $this->order->is_paid() || $this->is_refunded() || null !== $this->order->get_date_paid();
	}

	/** Tell whether all has gone back. */
	public function is_refunded(): bool {
		return $this->order->has_status( 'refunded' );
	}

	/** Tell whether the order still means to be paid here. */
	public function is_ours(): bool {
		return Plugin::ID === $this->order->get_payment_method();
	}

	/**
	 * Return a text that the plugin has kept; empty when there is none.
	 *
	 * @param string $name One of the constants.
	 */
	public function text( string $name ): string {
		$value = $this->order->get_meta( $name );
		return is_scalar( $value ) ? (string) $value : '';
	}

	/**
	 * Return a list or a map that the plugin has kept.
	 *
	 * @param string $name One of the constants.
	 * @return array<int|string, mixed>
	 */
	public function all( string $name ): array {
		$value = $this->order->get_meta( $name );
		return is_array( $value ) ? $value : array();
	}

	/**
	 * Keep a value; it is stored when the order is.
	 *
	 * @param string       $name  One of the constants.
	 * @param string|array $value Empty removes it.
	 */
	public function keep( string $name, string|array $value ): void {
		if ( '' === $value || array() === $value ) {
			$this->order->delete_meta_data( $name );
			return;
		}
		$this->order->update_meta_data( $name, $value );
	}

	/**
	 * Keep an entry at the end of a bounded list, once.
	 *
	 * @param string $name  One of the constants.
	 * @param string $entry What to remember.
	 * @param int    $limit How many are remembered.
	 */
	public function remember( string $name, string $entry, int $limit ): void {
		$kept   = array_values( array_diff( $this->all( $name ), array( $entry ) ) );
		$kept[] = $entry;
		$this->keep( $name, array_slice( $kept, -$limit ) );
	}

	/**
	 * Return the newest version of a payment that was applied; 0 for an unknown one.
	 *
	 * @param string $payment_id The payment.
	 */
	public function version( string $payment_id ): int {
		return (int) ( $this->all( self::VERSIONS )[ $payment_id ] ?? 0 );
	}
}
