<?php
/**
 * Asks the gateway itself, so that a lost webhook loses no order: when the customer returns, before WooCommerce cancels
 * an unpaid order, and every hour.
 *
 * @package StreamPay\WooCommerce
 */

declare(strict_types=1);

namespace StreamPay\WooCommerce;

use WC_Order;

/** Reads payments, and lets the same reducer decide. */
final class Reconciler {

	public const HOOK         = 'streampay_reconcile';
	private const RECENT_S    = 3 * DAY_IN_SECONDS; // As long as the gateway itself repeats a webhook.
	private const MAX_ORDERS  = 100;
	private const MAX_RUN_S   = 60;
	private const ON_ITS_WAY  = array( 'processing', 'confirming', 'authorized', 'underpaid' );

	/** Work by the merchant's settings. */
	public function __construct( private Settings $settings, private Api $api ) {}

	/** Return one that works by the stored settings. */
	public static function load(): self {
		$settings = Settings::load();
		return new self( $settings, Api::from( $settings ) );
	}

	/**
	 * Read every payment of an order and let each change it.
	 *
	 * @param WC_Order $order The order.
	 * @return list<string> Their statuses, the current one last.
	 * @throws Api_Error  The gateway does not answer.
	 * @throws Busy_Error Somebody else works on the order.
	 */
	public function refresh( WC_Order $order ): array {
		$state = new Order_State( $order );
		if ( $state->text( Order_State::MODE ) !== $this->settings->mode() ) {
			return array(); // Opened in the other mode, with another key.
		}
		$readings = new Readings( $this->api );
		$statuses = array();
		foreach ( $state->all( Order_State::PAYMENTS ) as $payment_id ) {
			$payment    = $readings->payment( (string) $payment_id );
			$statuses[] = $payment['status'];
			( new Orders( $this->settings ) )->apply( $order->get_id(), $payment, $readings->refunds( $payment ) );
		}
		return $statuses;
	}

	/** On the customer's return, before the page is made: it shows the current try, and no webhook need have come. */
	public static function on_return(): void {
		if ( ! function_exists( 'is_wc_endpoint_url' ) || ! is_wc_endpoint_url( 'order-received' ) ) {
			return;
		}
		$order = wc_get_order( absint( get_query_var( 'order-received' ) ) );
		$key   = isset( $_GET['key'] ) && is_string( $_GET['key'] ) ? sanitize_text_field( wp_unslash( $_GET['key'] ) ) : ''; // phpcs:ignore WordPress.Security.NonceVerification -- the order's own key opens its page
		if ( ! $order instanceof WC_Order || Plugin::ID !== $order->get_payment_method() || ! hash_equals( $order->get_order_key(), $key ) ) {
			return;
		}
		if ( $order->is_paid() ) {
			return;
		}
		$settings = Settings::load();
		self::quietly( $order, static fn(): array => ( new self( $settings, Api::from( $settings )->quick() ) )->refresh( $order ) );
	}

	/**
	 * Decide about an unpaid order that WooCommerce is about to cancel. Filter `woocommerce_cancel_unpaid_order`.
	 *
	 * @param mixed $cancel What WooCommerce would do.
	 * @param mixed $order  The order.
	 * @return mixed
	 */
	public static function before_cancel( mixed $cancel, mixed $order ): mixed {
		if ( ! $cancel || ! $order instanceof WC_Order || Plugin::ID !== $order->get_payment_method() ) {
			return $cancel;
		}
		if ( '' === (string) $order->get_meta( Order_State::REFERENCE ) ) {
			return $cancel; // Nobody was ever sent to pay.
		}
		return true === self::quietly( $order, static fn(): bool => self::load()->may_cancel( $order ) ) ? $cancel : false;
	}

	/** Tell whether nobody has paid and nobody can any more; what is still open is closed at the gateway first. */
	private function may_cancel( WC_Order $order ): bool {
		$session = (string) $order->get_meta( Order_State::SESSION );
		$current = $this->refresh( $order );
		if ( array() !== $current && in_array( end( $current ), array( 'open', 'requires_action' ), true ) && '' !== $session ) {
			$this->api->post( '/v1/checkout/sessions/' . rawurlencode( $session ) . '/expire', array(), "$session-expire" );
			$this->refresh( $order );
		}
		$fresh = Orders::fresh( $order->get_id() );
		return array() === array_intersect( self::ON_ITS_WAY, $current ) && null !== $fresh && $fresh->has_status( 'pending' );
	}

	/** Every hour: orders of the last days that wait for money. */
	public static function hourly(): void {
		$orders = wc_get_orders(
			array(
				'type'           => 'shop_order',
				'payment_method' => Plugin::ID,
				'status'         => array( 'pending', 'on-hold', 'failed', 'cancelled' ),
				'date_created'   => '>' . ( time() - self::RECENT_S ),
				'limit'          => self::MAX_ORDERS,
				'orderby'        => 'date',
				'order'          => 'DESC',
			)
		);
		$until  = time() + self::MAX_RUN_S;
		$self   = self::load();
		foreach ( $orders as $order ) {
			if ( time() > $until ) {
				Log::warning( 'reconcile_cut_short' ); // The gateway is slow; the next hour comes.
				return;
			}
			if ( $order instanceof WC_Order ) {
				self::quietly( $order, static fn(): array => $self->refresh( $order ) );
			}
		}
	}

	/** Run the hourly look as long as the plugin is there. */
	public static function schedule(): void {
		if ( function_exists( 'as_has_scheduled_action' ) && ! as_has_scheduled_action( self::HOOK, array(), 'streampay' ) ) {
			as_schedule_recurring_action( time() + HOUR_IN_SECONDS, HOUR_IN_SECONDS, self::HOOK, array(), 'streampay' );
		}
	}

	/** Do something that may fail without harm: the webhook and the next look come anyway. */
	private static function quietly( WC_Order $order, callable $work ): mixed {
		try {
			return $work();
		} catch ( Api_Error | Busy_Error | Not_Stored_Error | Unknown_Order_Error $error ) {
			Log::warning( 'reconcile_failed', array( 'order' => $order->get_id(), 'reason' => $error->getMessage() ) );
			return null;
		}
	}
}
